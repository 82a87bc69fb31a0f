"""LightningModules: what a step optimises and logs."""

from avs_lightning.methods.avs import AVSMethod
from avs_lightning.methods.base import SegmentationMethod

__all__ = ["AVSMethod", "SegmentationMethod"]
