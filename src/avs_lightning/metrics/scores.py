"""`torchmetrics` classes that hold counted frames: the result depends on the clips alone.

Not on their order, the batch size, or the number of processes, and a clip that a padding sampler repeats counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from avs_lightning.errors import UserError
from avs_lightning.metrics.binary import WIDTHS, BinaryCounts
from avs_lightning.metrics.counts import FrameCounts
from avs_lightning.metrics.per_clip import ClipScores, score_clips
from avs_lightning.metrics.protocols import Protocol, count_frames
from avs_lightning.metrics.semantic import ClassCounts, class_widths


class ClipMetric(Metric):
    """The frames seen so far as counts, one row a clip; what is computed from them is the subclass's.

    The states take about 2 kB a frame: 8 MB for the 740 test clips of S4. Of K classes they take 12 K bytes.

    Args:
        classes: K, the background included; 2 for one logit a pixel.
        batch_clips: clips a batch, for the protocol `reference` of two classes.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    rows: list[Tensor]  # [n, 1 + numbers a clip]: each clip's index and counts, so that one gathering brings them all

    def __init__(self, classes: int = 2, batch_clips: int = 4) -> None:
        super().__init__(dist_sync_fn=_gather)
        self.classes, self.batch_clips = classes, batch_clips
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(
        self,
        logits: Tensor,
        labels: Tensor,
        labelled: Tensor | None = None,
        indices: Tensor | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        """Count a batch.

        Args:
            logits: [B, T, K, H, W] or, of two classes, [B, T, 1, H, W] or [B, T, H, W].
            labels: [B, T, H, W], the class of each pixel; of two classes above 0.5 where it sounds.
            labelled: [B, T], the frames that carry a mask; None for all.
            indices: [B], each clip's position in the data set; None numbers the clips as they come, in one process.
            lengths: B numbers of frames that exist, the first ones; None: all.

        Raises:
            UserError: see `count_frames`; another number of logits; and for `indices=None` in several processes.
        """
        if self.classes > 2 and (logits.ndim != 5 or logits.shape[2] != self.classes):
            raise UserError(f"logits {list(logits.shape)} must be [B, T, K, H, W] with K = {self.classes} classes")
        counts = count_frames(logits, labels, labelled, lengths)
        if indices is None:
            if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
                raise UserError("with several processes the metric needs each clip's place: update(..., indices=...)")
            seen = sum(map(len, self.rows))
            indices = torch.arange(seen, seen + len(counts.labelled), device=logits.device)
        numbers = counts.numbers()
        self.rows.append(torch.cat([indices.to(numbers)[:, None], numbers], dim=1))

    def counts(self) -> tuple[Tensor, FrameCounts]:
        """Return the clips of all processes, each once, in the data set's order: their indices [n] and counts.

        Every process has to call it: it synchronises, as `compute` does.
        """
        with self.sync_context(self.dist_sync_fn):
            return self._counts()

    def _counts(self) -> tuple[Tensor, FrameCounts]:
        if len(self.rows) == 0:
            raise UserError("no clip to score: the split is empty")
        rows = dim_zero_cat(self.rows)
        order, places = torch.sort(rows[:, 0].long(), stable=True)
        first = torch.ones_like(order, dtype=torch.bool)
        first[1:] = order[1:] != order[:-1]
        numbers = rows[places[first], 1:]
        if self.classes > 2:
            return order[first], ClassCounts.from_numbers(numbers, class_widths(self.classes)).checked()
        return order[first], BinaryCounts.from_numbers(numbers, WIDTHS).checked()


class MeanIoU(ClipMetric):
    """mIoU under one protocol, see `avs_lightning.metrics.mean_iou`."""

    def __init__(self, protocol: Protocol = "reference", batch_clips: int = 4, classes: int = 2) -> None:
        super().__init__(classes, batch_clips)
        self.protocol = protocol

    def compute(self) -> Tensor:
        """Return the score of all clips so far, a scalar."""
        return self._counts()[1].miou(self.protocol, self.batch_clips)


class FScore(ClipMetric):
    """F-score under one protocol, see `avs_lightning.metrics.f_score`."""

    def __init__(self, protocol: Protocol = "reference", batch_clips: int = 4, classes: int = 2) -> None:
        super().__init__(classes, batch_clips)
        self.protocol = protocol

    def compute(self) -> Tensor:
        """Return the score of all clips so far, a scalar."""
        return self._counts()[1].fscore(self.protocol, self.batch_clips)


class SegmentationScores(ClipMetric):
    """Every score under every protocol, from one pass over the pixels.

    Attributes:
        names: of the scores that `compute` returns.
    """

    @property
    def names(self) -> tuple[str, ...]:
        protocols = (BinaryCounts if self.classes == 2 else ClassCounts).protocols
        scores = (f"{metric}_{protocol}" for metric in ("miou", "fscore") for protocol in protocols)
        return *scores, "false_positive_rate"

    def compute(self) -> dict[str, Tensor]:
        """Return scalars: `miou_*` and `fscore_*` for each protocol, and `false_positive_rate`."""
        return self.of(self._counts()[1])

    def of(self, counts: FrameCounts) -> dict[str, Tensor]:
        """Return what `compute` returns, of counts that are there already (`self.counts()`)."""
        scores = {f"miou_{protocol}": counts.miou(protocol, self.batch_clips) for protocol in counts.protocols}
        scores |= {f"fscore_{protocol}": counts.fscore(protocol, self.batch_clips) for protocol in counts.protocols}
        return scores | {"false_positive_rate": counts.false_positive_rate()}

    def per_clip(self) -> ClipScores:
        """Return the scores of each clip by itself, in the data set's order."""
        return score_clips(*self.counts())


def _gather(rows: Tensor, group: Any = None) -> list[Tensor]:
    """Collect the rows of all processes, also where one saw no clip (torchmetrics' own gathering then fails)."""
    parts: list[Tensor] = [rows] * dist.get_world_size(group)
    dist.all_gather_object(parts, rows.cpu(), group)
    return [part.to(rows.device) for part in parts if len(part)] or [rows]
