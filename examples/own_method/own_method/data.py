"""A data set of one's own: shapes with tones in a layout of its own, four classes, clips of two to four seconds.

ROOT/{train,val,test}/CLIP/ holds 0.png, 1.png, ... (a second each), sound.wav, and labels.npy: [seconds, H, W] uint8.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avs_lightning.data import Clip, ClipDataModule, ClipDataset, ClipRow, Sound
from avs_lightning.data.audio import read_wav
from avs_lightning.data.pictures import read_frame
from avs_lightning.errors import UserError

CLASSES = ("background", "bell", "drum", "flute")
FRAMES = 4
RATE = 16_000


class ShapesDataset(ClipDataset):
    """The clips of one split.

    Args:
        root: the folder that holds train/, val/ and test/.
        split: one of these.
        image_size: height and width of frames and labels, in pixels.
        limit: take the first `limit` clips only.

    Raises:
        UserError: there are no clips.
    """

    def __init__(self, root: str | Path, split: str, image_size: int, limit: int | None = None) -> None:
        self.folder, self.image_size = Path(root) / split, image_size
        names = sorted(entry.name for entry in self.folder.iterdir()) if self.folder.is_dir() else []
        if not names:
            raise UserError(f"no clips in {self.folder}: draw some by `python -m own_method.drawing ROOT` (data.root)")
        self.clips, self.available = [ClipRow(name, "", split) for name in names[:limit]], len(names)

    def files(self, clip: ClipRow) -> Iterator[Path]:
        """Frames, labels, sound."""
        folder = self.folder / clip.id
        yield from (*sorted(folder.glob("*.png")), folder / "labels.npy", folder / "sound.wav")

    def __getitem__(self, index: int) -> Clip:
        """Read a clip."""
        *frames, labels, sound = self.files(self.clips[index])
        seconds, size = len(frames), self.image_size
        images = torch.empty(seconds, 3, size, size)
        for frame, image in zip(frames, images):
            read_frame(frame, size, out=image)
        return Clip(
            images=images,
            sound=Sound.of(read_wav(sound, RATE, seconds), RATE, samples=seconds * RATE),
            labels=torch.from_numpy(np.load(labels)),
            labelled=torch.ones(seconds, dtype=torch.bool),
            id=self.clips[index].id,
            category="",
            index=index,
        )


class ShapesDataModule(ClipDataModule):
    """What the package asks of a data set; its loaders, samplers and workers are the base class's.

    Args:
        root: as for `ShapesDataset`.
        name: of the data set, in tables and records.
        **options: arguments of `ClipDataModule`.
    """

    classes, frames, synthetic = CLASSES, FRAMES, True

    def __init__(self, root: str | Path, name: str = "shapes", **options: Any) -> None:
        super().__init__(name, root, **options)

    def build_dataset(self, split: str) -> ShapesDataset:
        """Read what there is of a split."""
        hp: Any = self.hparams
        return ShapesDataset(hp.root, split, hp.image_size, hp.limit)
