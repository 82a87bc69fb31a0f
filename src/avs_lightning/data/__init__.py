"""Clips on disk to batches: the AVSBench readers, sound and pictures, the LightningDataModule."""

from typing import TYPE_CHECKING

from avs_lightning.lazy import lazy_names

if TYPE_CHECKING:
    from avs_lightning.data.avsbench_ms3 import MS3DataModule, MultiSourceDataset
    from avs_lightning.data.avsbench_s4 import S4DataModule, SingleSourceDataset
    from avs_lightning.data.clip import Clip, ClipBatch, collate_clips, example_batch
    from avs_lightning.data.datamodule import ClipDataModule
    from avs_lightning.data.datasets import ClipDataset
    from avs_lightning.data.folder import FolderDataModule, FolderDataset
    from avs_lightning.data.layouts.base import BINARY, ClipRow
    from avs_lightning.data.pickles import load_log_mel_pickle
    from avs_lightning.data.sound import Sound
    from avs_lightning.data.spectrogram import log_mel

__all__ = [
    "BINARY",
    "Clip",
    "ClipBatch",
    "ClipDataModule",
    "ClipDataset",
    "ClipRow",
    "FolderDataModule",
    "FolderDataset",
    "MS3DataModule",
    "MultiSourceDataset",
    "S4DataModule",
    "SingleSourceDataset",
    "Sound",
    "collate_clips",
    "example_batch",
    "load_log_mel_pickle",
    "log_mel",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ClipDataModule": "avs_lightning.data.datamodule",
        "ClipDataset": "avs_lightning.data.datasets",
        **dict.fromkeys(("BINARY", "ClipRow"), "avs_lightning.data.layouts.base"),
        "Sound": "avs_lightning.data.sound",
        "load_log_mel_pickle": "avs_lightning.data.pickles",
        "log_mel": "avs_lightning.data.spectrogram",
        **dict.fromkeys(("Clip", "ClipBatch", "collate_clips", "example_batch"), "avs_lightning.data.clip"),
        **dict.fromkeys(("S4DataModule", "SingleSourceDataset"), "avs_lightning.data.avsbench_s4"),
        **dict.fromkeys(("FolderDataModule", "FolderDataset"), "avs_lightning.data.folder"),
        **dict.fromkeys(("MS3DataModule", "MultiSourceDataset"), "avs_lightning.data.avsbench_ms3"),
    },
)
