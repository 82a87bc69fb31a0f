"""What a step optimises and logs: the base of all methods here, each method in a folder of its own."""

from typing import TYPE_CHECKING

from avs_lightning.lazy import lazy_names

if TYPE_CHECKING:
    from avs_lightning.methods.base import SegmentationMethod as SegmentationMethod

__all__ = ["SegmentationMethod"]

__getattr__ = lazy_names(__name__, {"SegmentationMethod": "avs_lightning.methods.base"})
