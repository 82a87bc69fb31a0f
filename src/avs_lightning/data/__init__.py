"""Clips on disk to batches: the AVSBench readers, sound and pictures, the LightningDataModule."""

from avs_lightning.data.clip import Clip, ClipBatch, collate_clips
from avs_lightning.data.datamodule import AVSDataModule
from avs_lightning.data.datasets import MultiSourceDataset, SingleSourceDataset
from avs_lightning.data.log_mel import log_mel
from avs_lightning.data.pickles import load_log_mel_pickle
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
