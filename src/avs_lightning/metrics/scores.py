"""`torchmetrics` classes that hold counted frames: the result depends on the clips alone.

Not on their order, the batch size, or the number of processes, and a clip that a padding sampler repeats counts once.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from avs_lightning.errors import UserError
from avs_lightning.metrics.counts import FrameCounts, count_frames
from avs_lightning.metrics.names import PROTOCOLS
from avs_lightning.metrics.per_clip import ClipScores, score_clips
from avs_lightning.metrics.protocols import Protocol, false_positive_rate, fscore_of, miou_of


class ClipMetric(Metric):
    """The frames seen so far as counts, one row a clip; what is computed from them is the subclass's.

    The states take about 2 kB a frame: 8 MB for the 740 test clips of S4.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    rows: list[Tensor]  # [n, 1 + numbers a clip]: each clip's index and counts, so that one gathering brings them all

    def __init__(self, batch_clips: int = 4) -> None:
        super().__init__(dist_sync_fn=_gather)
        self.batch_clips = batch_clips
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(
        self, logits: Tensor, masks: Tensor, labelled: Tensor | None = None, indices: Tensor | None = None
    ) -> None:
        """Count a batch.

        Args:
            logits: [B, T, 1, H, W] or [B, T, H, W].
            masks: the same shape; above 0.5 where the pixel sounds.
            labelled: [B, T], the frames that carry a mask; None for all.
            indices: [B], each clip's position in the data set; None numbers the clips as they come, in one process.

        Raises:
            UserError: see `count_frames`; and for `indices=None` in several processes.
        """
        counts = count_frames(logits, masks, labelled)
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
        return order[first], FrameCounts.from_numbers(rows[places[first], 1:]).checked()


class MeanIoU(ClipMetric):
    """mIoU under one protocol, see `avs_lightning.metrics.mean_iou`."""

    def __init__(self, protocol: Protocol = "reference", batch_clips: int = 4) -> None:
        super().__init__(batch_clips)
        self.protocol = protocol

    def compute(self) -> Tensor:
        """Return the score of all clips so far, a scalar."""
        return miou_of(self._counts()[1], self.protocol, self.batch_clips)


class FScore(ClipMetric):
    """F-score under one protocol, see `avs_lightning.metrics.f_score`."""

    def __init__(self, protocol: Protocol = "reference", batch_clips: int = 4) -> None:
        super().__init__(batch_clips)
        self.protocol = protocol

    def compute(self) -> Tensor:
        """Return the score of all clips so far, a scalar."""
        return fscore_of(self._counts()[1], self.protocol, self.batch_clips)


class SegmentationScores(ClipMetric):
    """Every score under every protocol, from one pass over the pixels.

    Attributes:
        names: of the scores that `compute` returns.
    """

    names = (
        *(f"{metric}_{protocol}" for metric in ("miou", "fscore") for protocol in PROTOCOLS),
        "false_positive_rate",
    )

    def compute(self) -> dict[str, Tensor]:
        """Return scalars: `miou_*` and `fscore_*` for each protocol, and `false_positive_rate`."""
        return self.of(self._counts()[1])

    def of(self, counts: FrameCounts) -> dict[str, Tensor]:
        """Return what `compute` returns, of counts that are there already (`self.counts()`)."""
        scores = {f"miou_{protocol}": miou_of(counts, protocol, self.batch_clips) for protocol in PROTOCOLS}
        scores |= {f"fscore_{protocol}": fscore_of(counts, protocol, self.batch_clips) for protocol in PROTOCOLS}
        return scores | {"false_positive_rate": false_positive_rate(counts)}

    def per_clip(self) -> ClipScores:
        """Return the scores of each clip by itself, in the data set's order."""
        return score_clips(*self.counts())


def _gather(rows: Tensor, group: Any = None) -> list[Tensor]:
    """Collect the rows of all processes, also where one saw no clip (torchmetrics' own gathering then fails)."""
    parts: list[Tensor] = [rows] * dist.get_world_size(group)
    dist.all_gather_object(parts, rows.cpu(), group)
    return [part.to(rows.device) for part in parts if len(part)] or [rows]
