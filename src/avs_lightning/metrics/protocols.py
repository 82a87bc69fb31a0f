"""mIoU and F-score under the protocols of the field, from counted pixels.

- `reference`: as the released test scripts of AVS (Zhou et al., ECCV 2022), which score batches of `batch_clips` clips
  and average over batches with equal weight. Its figures depend on that batch size: smaller batches score higher.
  Published ones use 4, some 1 or 2: `reference@1` and `reference@2` are it with these.
- `frame`: the exact mean over frames. The F-score averages the curves of all frames before it takes the maximum.
- `dataset`: all pixels of the data set at once, as other groups score.

A frame that is not labelled never counts. What they are of several classes: `avs_lightning.metrics.semantic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from avs_lightning.errors import UserError
from avs_lightning.frames import existing
from avs_lightning.metrics.binary import count_binary
from avs_lightning.metrics.counts import FrameCounts
from avs_lightning.metrics.semantic import count_classes

Protocol = Literal["reference", "frame", "dataset", "reference@2", "reference@1"]


def mean_iou(
    logits: Tensor,
    labels: Tensor,
    protocol: Protocol = "reference",
    batch_clips: int = 4,
    labelled: Tensor | None = None,
) -> Tensor:
    """Return the mean intersection over union of sigmoid(logits) > 0.5, or of the highest logit, a float32 scalar.

    A frame with empty ground truth scores the share of its pixels that are predicted background (`reference`, `frame`;
    one logit a pixel).

    Args:
        logits: [clips, T, H, W] or [clips, T, K, H, W], in the data set's order.
        labels: [clips, T, H, W] or [clips, T, 1, H, W], the class of each pixel; for K = 1 above 0.5 where it sounds.
        protocol: how frames are averaged, see this module.
        batch_clips: clips a batch, for `reference` of one logit a pixel only.
        labelled: [clips, T], the frames that carry a mask; None for all.

    Raises:
        UserError: for an unknown protocol, shapes that do not fit, NaN logits, or no labelled frame.
    """
    return count_frames(logits, labels, labelled).checked().miou(protocol, batch_clips)


def f_score(
    logits: Tensor,
    labels: Tensor,
    protocol: Protocol = "reference",
    batch_clips: int = 4,
    labelled: Tensor | None = None,
) -> Tensor:
    """Return the F-score with beta^2 = 0.3, a float32 scalar: the best over 255 thresholds of sigmoid(logits).

    Frames with empty ground truth are skipped (`reference`, `frame`); where none is left the score is 0. Of several
    classes it is that of the highest logit. Arguments and errors are those of `mean_iou`.
    """
    return count_frames(logits, labels, labelled).checked().fscore(protocol, batch_clips)


def count_frames(
    logits: Tensor, labels: Tensor, labelled: Tensor | None = None, lengths: Sequence[int] | None = None
) -> FrameCounts:
    """Count the pixels of each frame; nothing here waits for the device, so that `FrameCounts.checked` finds NaN.

    Args:
        logits: [clips, T, H, W] or [clips, T, K, H, W].
        labels: [clips, T, H, W] or [clips, T, 1, H, W].
        labelled: [clips, T], the frames that carry a mask; None for all.
        lengths: how many frames of each clip exist, the first ones; None: all.

    Raises:
        UserError: for shapes that do not fit.
    """
    logits = logits.detach()
    given = f"logits {list(logits.shape)}, labels {list(labels.shape)}"
    logits = logits.unsqueeze(2) if logits.ndim == 4 else logits
    labels = labels.squeeze(2) if labels.ndim == 5 and labels.shape[2] == 1 else labels
    if logits.ndim != 5 or labels.shape != (*logits.shape[:2], *logits.shape[3:]):
        raise UserError(
            f"{given}: they must be [clips, T, H, W] or [clips, T, K, H, W], and [clips, T, H, W] or "
            "[clips, T, 1, H, W]"
        )
    if labelled is None:
        labelled = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    if labelled.shape != logits.shape[:2]:
        raise UserError(f"labelled {list(labelled.shape)} must be [clips, T] = {list(logits.shape[:2])}")
    labelled = labelled.bool()
    if logits.shape[2] == 1:
        return count_binary(logits, labels, labelled)
    clips, frames = logits.shape[:2]
    return count_classes(logits, labels, labelled, existing(lengths or [frames] * clips, frames, logits.device))
