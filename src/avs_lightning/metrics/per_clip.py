"""Scores of single clips: what tables of the best and worst clips are made from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from avs_lightning.metrics.counts import FrameCounts


@dataclass(frozen=True)
class ClipScores:
    """Protocol `frame` within each of n clips of T frames; NaN where nothing is labelled.

    Attributes:
        indices: [n] int64, the clips' positions in the data set.
        sounding: [n, T] bool, the labelled frames in which anything sounds.
        miou: [n], mean IoU over the labelled frames; that of a silent frame is its share of rightly dark pixels. Of
            several classes, a frame's IoU is the mean over those that are true or predicted in it.
        miou_sounding: [n], mean IoU over the frames that sound, by which clips are ranked; NaN where none does.
        fscore: [n], over the frames that sound: best value of the mean F curve, or of several classes the mean over
            frames and the classes in them; 0 where none sounds.
        false_positive_rate: [n], mean share of background pixels that are switched on.
        seconds: [n, T], the IoU of each frame.
    """

    indices: Tensor
    sounding: Tensor
    miou: Tensor
    miou_sounding: Tensor
    fscore: Tensor
    false_positive_rate: Tensor
    seconds: Tensor


def score_clips(indices: Tensor, counts: FrameCounts) -> ClipScores:
    """Score each of the counted clips by itself."""
    ious, rates, sounding = counts.frame_ious(), counts.false_positives(), counts.sounding()
    unlabelled = ~counts.labelled.any(1)
    false_positive_rates = mean_where(counts.labelled & ~rates.isnan(), rates, 1).nan_to_num()
    return ClipScores(
        indices=indices,
        sounding=sounding,
        miou=mean_where(counts.labelled, ious, 1),
        miou_sounding=mean_where(sounding, ious, 1),
        fscore=counts.clip_fscores().masked_fill(unlabelled, torch.nan),
        false_positive_rate=false_positive_rates.masked_fill(unlabelled, torch.nan),
        seconds=ious.float().masked_fill(~counts.labelled, torch.nan),
    )


def mean_where(kept: Tensor, values: Tensor, dim: int) -> Tensor:
    """Return the mean of what is kept along `dim`, float32; NaN where nothing is."""
    return (torch.where(kept, values, 0).sum(dim) / kept.sum(dim)).float()


def score_seconds(counts: FrameCounts) -> Tensor:
    """Return the mean IoU of the clips' k-th frames, [T] float32; NaN where no clip labels it."""
    return mean_where(counts.labelled, counts.frame_ious(), dim=0)
