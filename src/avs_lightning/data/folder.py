"""Clips of one's own: a folder each, without a line of Python (`data=folder`)."""

from functools import cached_property
from pathlib import Path
from typing import Any

from avs_lightning.data.datamodule import ClipDataModule
from avs_lightning.data.datasets import LayoutDataset
from avs_lightning.data.layouts import FolderLayout


class FolderDataset(LayoutDataset):
    """One split of `FolderLayout`: pictures of any size are resized, a sound is brought to 16 kHz.

    Args:
        root: the folder that holds `clips.csv`.
        split: "train", "val" or "test".
        image_size: height and width of frames and masks, in pixels.
        limit: take the first `limit` clips only.
    """

    layout_type = FolderLayout

    def __init__(self, root: str | Path, split: str, image_size: int = 224, limit: int | None = None) -> None:
        super().__init__(root, split, image_size, limit=limit)


class FolderDataModule(ClipDataModule):
    """Clips of one's own in the layout `FolderLayout`, of as many classes as `classes.txt` names.

    Args:
        root: the folder that holds `clips.csv`.
        name: of the data set, in tables and records.
        options: arguments of `ClipDataModule`.
    """

    synthetic = False

    def __init__(self, root: str | Path, name: str = "folder", **options: Any) -> None:
        super().__init__(name, root, **options)

    @cached_property
    def layout(self) -> FolderLayout:
        """Where the files are."""
        return FolderLayout(self.hparams["root"])

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return self.layout.classes

    @cached_property
    def frames(self) -> int:
        return self.layout.frames

    def build_dataset(self, split: str) -> FolderDataset:
        hp: Any = self.hparams
        return FolderDataset(hp.root, split, hp.image_size, hp.limit)

    def check(self, *splits: str) -> None:
        """As `ClipDataModule.check`; and every clip has a folder with frames, masks and a sound."""
        super().check(*splits)
        for clip in self.layout.rows():
            self.layout.mask_files(clip)
            self.layout.wav(clip)
