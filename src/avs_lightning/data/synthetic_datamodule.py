"""The synthetic AVSBench as a LightningDataModule: written on first use."""

import sys
from collections.abc import Mapping
from typing import Any

from avs_lightning.data.datamodule import AVSDataModule
from avs_lightning.data.metadata import SPLITS


class SyntheticDataModule(AVSDataModule):
    """`AVSDataModule` on a synthetic set, which `prepare_data` writes where it is not there yet.

    Args:
        synthetic: arguments of `write_dataset`: clips a split, categories, seed, switching, videos.
        options: arguments of `AVSDataModule`.

    Raises:
        UserError: see `write_dataset` and `AVSDataModule`.
    """

    def __init__(self, synthetic: Mapping[str, Any], **options: Any):
        super().__init__(**options)
        self.save_hyperparameters(logger=False)

    @property
    def synthetic(self) -> bool:
        """True, before the set is written too."""
        return True

    def check(self, *splits: str) -> None:
        """Nothing: the set may have yet to be written."""

    def clip_counts(self) -> dict[str, int]:
        """How many clips each split has, or will have once the set is written."""
        asked, limit = self.hparams["synthetic"]["clips"], self.hparams["limit"]
        return {split: min(int(asked.get(split, 0)), limit or sys.maxsize) for split in SPLITS}

    def prepare_data(self) -> None:
        """Write the set, once: Lightning calls this in one process only."""
        from avs_lightning.data.synthetic.writer import write_dataset

        hp: Any = self.hparams
        write_dataset(hp.root, hp.name, size=hp.image_size, **hp.synthetic)
