"""Which data a result was computed on, wherever that data lies."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from avs_lightning.data.metadata import SPLITS
from avs_lightning.errors import UserError

if TYPE_CHECKING:
    from avs_lightning.data.datamodule import AVSDataModule


def dataset_fingerprint(datamodule: "AVSDataModule") -> str:
    """Return 12 hex digits that are equal for equal data, in any folder.

    They come from the setting, the frame size, each split's clips as they are used (`data.split`, `data.limit`), their
    categories, and the sizes in bytes of their masks: no file is opened. A split that is not there counts as empty.
    """
    digest = hashlib.sha256(f"{datamodule.hparams['name']} {datamodule.hparams['image_size']}\n".encode())
    for split in SPLITS:
        try:
            dataset = datamodule.dataset(split)
        except UserError:
            continue
        for clip in dataset.clips:
            sizes = [
                _size(dataset.layout.mask(clip, second))
                for second, labelled in enumerate(dataset.layout.labelled(clip))
                if labelled
            ]
            digest.update(f"{split} {clip.split} {clip.category} {clip.id} {sizes}\n".encode())
    return digest.hexdigest()[:12]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
