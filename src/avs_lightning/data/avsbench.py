"""What the data modules of AVSBench have in common: binary masks, five frames, and that clips can be drawn."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from avs_lightning.data.datamodule import ClipDataModule
from avs_lightning.data.datasets import Audio, LayoutDataset
from avs_lightning.data.layouts.avsbench import AVSBenchLayout
from avs_lightning.data.layouts.base import BINARY
from avs_lightning.data.metadata import SPLITS
from avs_lightning.errors import UserError


class AVSBenchDataModule(ClipDataModule):
    """Clips of one AVSBench setting; a subclass names its data set. What is not named is as for `ClipDataModule`.

    Args:
        root: the folder that holds the setting's folder (`Single-source/`, `Multi-sources/`), or that folder itself.
        name: of the setting; a subclass has no other than its own.
        audio: "wav", "log_mel" (the official pickles) or "auto" (the wav where there is one).
        synthetic: arguments of `write_dataset` (clips a split, categories, seed, switching, videos) for a set that
            `prepare_data` writes where it is not there yet; None for one that is there.
        options: arguments of `ClipDataModule`.

    Raises:
        UserError: another name; see `LayoutDataset`, `write_dataset` and `ClipDataModule`.
    """

    classes, frames = BINARY, AVSBenchLayout.frames
    dataset_type: ClassVar[type[LayoutDataset]]

    def __init__(
        self,
        root: str | Path,
        name: str | None = None,
        audio: Audio = "auto",
        synthetic: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        setting = self.dataset_type.layout_type.name
        if name not in (None, setting):
            raise UserError(f"data.name={name}: this data module reads {setting}; another data set is data={name}")
        super().__init__(setting, root, **options)
        self.hparams["name"] = setting
        self._drawn = synthetic
        if synthetic is None:  # that a configuration has it says that the set is drawn
            del self.hparams["synthetic"]

    @property
    def synthetic(self) -> bool:
        if self._drawn is not None:
            return True
        try:
            return self.dataset_type.layout_type(self.hparams["root"]).synthetic
        except UserError:
            return False

    def build_dataset(self, split: str) -> LayoutDataset:
        return self.dataset_type(self.hparams["root"], split, **self.dataset_options())

    def dataset_options(self) -> dict[str, Any]:
        """The arguments of the data set besides root and split."""
        return {name: self.hparams[name] for name in ("image_size", "audio", "limit")}

    def prepare_data(self) -> None:
        """Write a synthetic set, once: Lightning calls this in one process only."""
        if self._drawn is None:
            return
        from avs_lightning.data.synthetic.writer import write_dataset

        hp: Any = self.hparams
        write_dataset(hp.root, hp.name, size=hp.image_size, **self._drawn)

    def check(self, *splits: str) -> None:
        """As `ClipDataModule.check`; a synthetic set may have yet to be written."""
        if self._drawn is None:
            super().check(*splits)

    def clip_counts(self) -> dict[str, int]:
        """How many clips each split has, or will have once a synthetic set is written."""
        if self._drawn is None:
            return super().clip_counts()
        limit = self.hparams["limit"] or sys.maxsize
        return {split: min(int(self._drawn["clips"].get(split, 0)), limit) for split in SPLITS}
