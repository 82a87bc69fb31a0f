"""mIoU and F-score under the three protocols of the field, from counted pixels.

- `reference`: as the released test scripts of AVS (Zhou et al., ECCV 2022), which score batches of `batch_clips` clips
  and average over batches with equal weight. Its figures depend on that batch size: smaller batches score higher.
  Published ones use 4, some 1 or 2: `reference@1` and `reference@2` are it with these.
- `frame`: the exact mean over frames. The F-score averages the curves of all frames before it takes the maximum.
- `dataset`: all pixels of the data set at once, as other groups score.

A frame that is not labelled never counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from avs_lightning.errors import UserError, choose
from avs_lightning.metrics.counts import FrameCounts, count_frames
from avs_lightning.metrics.names import PROTOCOLS

Protocol = Literal["reference", "frame", "dataset", "reference@2", "reference@1"]
BETA_SQUARED = 0.3


def mean_iou(
    logits: Tensor,
    masks: Tensor,
    protocol: Protocol = "reference",
    batch_clips: int = 4,
    labelled: Tensor | None = None,
) -> Tensor:
    """Return the mean intersection over union of sigmoid(logits) > 0.5, a float32 scalar.

    A frame with empty ground truth scores the share of its pixels that are predicted background (`reference`, `frame`).

    Args:
        logits: [clips, T, H, W] or [clips, T, 1, H, W], in the data set's order.
        masks: the same shape; above 0.5 where the pixel sounds.
        protocol: how frames are averaged, see this module.
        batch_clips: clips a batch, for `reference` only.
        labelled: [clips, T], the frames that carry a mask; None for all.

    Raises:
        UserError: for an unknown protocol, shapes that do not fit, NaN logits, or no labelled frame.
    """
    return miou_of(count_frames(logits, masks, labelled).checked(), protocol, batch_clips)


def f_score(
    logits: Tensor,
    masks: Tensor,
    protocol: Protocol = "reference",
    batch_clips: int = 4,
    labelled: Tensor | None = None,
) -> Tensor:
    """Return the F-score with beta^2 = 0.3, the best over 255 thresholds of sigmoid(logits), a float32 scalar.

    Frames with empty ground truth are skipped (`reference`, `frame`); where none is left the score is 0.
    Arguments and errors are those of `mean_iou`.
    """
    return fscore_of(count_frames(logits, masks, labelled).checked(), protocol, batch_clips)


def miou_of(counts: FrameCounts, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
    """Return the mIoU of counted clips, see `mean_iou`."""
    if protocol == "dataset":
        scored = _scored(counts)
        return (scored.correct.sum() / (_union(scored).sum() + 1e-7)).float()
    return _mean_over_batches(counts, protocol, batch_clips, lambda batch: frame_ious(batch).mean())


def fscore_of(counts: FrameCounts, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
    """Return the F-score of counted clips, see `f_score`."""
    if protocol == "dataset":
        scored = _scored(counts)
        totals = scored.correct_at.sum(0), scored.predicted_at.sum(0), scored.foreground.sum()
        return f_curves(*totals).max().float()
    return _mean_over_batches(counts, protocol, batch_clips, _best_of_mean_curve)


def frame_ious(counts: FrameCounts) -> Tensor:
    """Return each frame's IoU in float64; for an empty ground truth the share of pixels predicted background."""
    empty = counts.foreground == 0
    intersection = torch.where(empty, counts.pixels - counts.predicted, counts.correct)
    union = torch.where(empty, counts.pixels, _union(counts))
    return intersection.double() / (union.double() + 1e-7)


def false_positive_rate(counts: FrameCounts) -> Tensor:
    """Return the share of background pixels that are switched on, averaged over frames that have any; else 0."""
    rates = false_positives(_scored(counts))
    rates = rates[~rates.isnan()]
    return (rates.sum() / max(len(rates), 1)).float()


def false_positives(counts: FrameCounts) -> Tensor:
    """Return each frame's share of background pixels that are switched on, float64; NaN where it has no background."""
    background = (counts.pixels - counts.foreground).double()
    return torch.where(background > 0, (counts.predicted - counts.correct) / background, torch.nan)


def f_curves(correct: Tensor, predicted: Tensor, foreground: Tensor) -> Tensor:
    """Return F-scores with beta^2 = 0.3, float64, from numbers of pixels that broadcast; 0 where nothing is correct."""
    precision = correct.double() / (predicted.double() + 1e-20)
    recall = correct.double() / (foreground.double() + 1e-20)
    return ((1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)).nan_to_num()


def _mean_over_batches(
    counts: FrameCounts, protocol: str, batch_clips: int, score: Callable[[FrameCounts], Tensor]
) -> Tensor:
    """Score batches of clips and average; `frame` is one batch of all clips."""
    named = choose(protocol, PROTOCOLS, "protocol").partition("@")[2]
    size = len(counts.labelled) if protocol == "frame" else int(named or batch_clips)
    return torch.stack([score(batch) for batch in _batches(counts, size)]).mean().float()


def _batches(counts: FrameCounts, size: int) -> Iterator[FrameCounts]:
    if size < 1:
        raise UserError(f"batch_clips={size}: a batch has at least one clip (published figures use 4)")
    _scored(counts)
    for start in range(0, len(counts.labelled), size):
        batch = counts[start : start + size]
        if batch.labelled.any():
            yield _scored(batch)


def _scored(counts: FrameCounts) -> FrameCounts:
    """Keep the labelled frames only: [n, T, ...] -> [frames, ...]."""
    if not counts.labelled.any():
        raise UserError("there is no labelled frame to score: this split carries no masks")
    return counts[counts.labelled]


def _union(counts: FrameCounts) -> Tensor:
    return counts.predicted + counts.foreground - counts.correct


def _best_of_mean_curve(frames: FrameCounts) -> Tensor:
    frames = frames[frames.foreground > 0]
    if len(frames.foreground) == 0:
        return torch.zeros((), dtype=torch.float64, device=frames.foreground.device)
    return f_curves(frames.correct_at, frames.predicted_at, frames.foreground[:, None]).mean(0).max()
