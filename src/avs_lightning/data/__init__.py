"""Clips on disk to batches: the AVSBench readers, sound and pictures, the LightningDataModule."""

from typing import TYPE_CHECKING

from avs_lightning.lazy import lazy_names

if TYPE_CHECKING:
    from avs_lightning.data.clip import Clip, ClipBatch, collate_clips, example_batch
    from avs_lightning.data.datamodule import AVSDataModule
    from avs_lightning.data.datasets import MultiSourceDataset, SingleSourceDataset
    from avs_lightning.data.pickles import load_log_mel_pickle
    from avs_lightning.data.sound import Sound
    from avs_lightning.data.spectrogram import log_mel
    from avs_lightning.data.synthetic_datamodule import SyntheticDataModule

__all__ = [
    "AVSDataModule",
    "Clip",
    "ClipBatch",
    "MultiSourceDataset",
    "SingleSourceDataset",
    "Sound",
    "SyntheticDataModule",
    "collate_clips",
    "example_batch",
    "load_log_mel_pickle",
    "log_mel",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AVSDataModule": "avs_lightning.data.datamodule",
        "Sound": "avs_lightning.data.sound",
        "SyntheticDataModule": "avs_lightning.data.synthetic_datamodule",
        "load_log_mel_pickle": "avs_lightning.data.pickles",
        "log_mel": "avs_lightning.data.spectrogram",
        **dict.fromkeys(("Clip", "ClipBatch", "collate_clips", "example_batch"), "avs_lightning.data.clip"),
        **dict.fromkeys(("MultiSourceDataset", "SingleSourceDataset"), "avs_lightning.data.datasets"),
    },
)
