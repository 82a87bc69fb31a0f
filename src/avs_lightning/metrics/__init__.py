"""mIoU and F-score, each with its protocol: functions first, `torchmetrics` classes over them."""

from avs_lightning.metrics.per_clip import ClipScores
from avs_lightning.metrics.protocols import PROTOCOLS, Protocol, f_score, mean_iou
from avs_lightning.metrics.scores import FScore, MeanIoU, SegmentationScores

__all__ = ["PROTOCOLS", "ClipScores", "FScore", "MeanIoU", "Protocol", "SegmentationScores", "f_score", "mean_iou"]
