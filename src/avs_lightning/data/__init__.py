"""Clips on disk to batches: the AVSBench readers, sound and pictures, the LightningDataModule."""

from typing import TYPE_CHECKING, Any

from avs_lightning.data.clip import Clip, ClipBatch, collate_clips
from avs_lightning.data.datasets import MultiSourceDataset, SingleSourceDataset
from avs_lightning.data.log_mel import log_mel
from avs_lightning.data.pickles import load_log_mel_pickle

if TYPE_CHECKING:
    from avs_lightning.data.datamodule import AVSDataModule
    from avs_lightning.data.synthetic_datamodule import SyntheticDataModule

__all__ = [
    "AVSDataModule",
    "Clip",
    "ClipBatch",
    "MultiSourceDataset",
    "SingleSourceDataset",
    "SyntheticDataModule",
    "collate_clips",
    "load_log_mel_pickle",
    "log_mel",
]


def __getattr__(name: str) -> Any:
    # Lightning takes longer to import than all the rest: `avs data` should not pay for it.
    if name == "AVSDataModule":
        from avs_lightning.data.datamodule import AVSDataModule

        return AVSDataModule
    if name == "SyntheticDataModule":
        from avs_lightning.data.synthetic_datamodule import SyntheticDataModule

        return SyntheticDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
