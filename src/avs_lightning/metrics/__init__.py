"""mIoU and F-score, each with its protocol: functions first, `torchmetrics` classes over them."""

from typing import TYPE_CHECKING

from avs_lightning.lazy import lazy_names
from avs_lightning.metrics.names import PROTOCOLS

if TYPE_CHECKING:
    from avs_lightning.metrics.per_clip import ClipScores
    from avs_lightning.metrics.protocols import Protocol, f_score, mean_iou
    from avs_lightning.metrics.scores import FScore, MeanIoU, SegmentationScores

__all__ = ["PROTOCOLS", "ClipScores", "FScore", "MeanIoU", "Protocol", "SegmentationScores", "f_score", "mean_iou"]

__getattr__ = lazy_names(
    __name__,
    {
        "ClipScores": "avs_lightning.metrics.per_clip",
        **dict.fromkeys(("Protocol", "f_score", "mean_iou"), "avs_lightning.metrics.protocols"),
        **dict.fromkeys(("FScore", "MeanIoU", "SegmentationScores"), "avs_lightning.metrics.scores"),
    },
)
