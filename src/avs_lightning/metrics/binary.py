"""What sounds against what does not: counts and scores of one logit a pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from avs_lightning.errors import UserError, choose
from avs_lightning.metrics.counts import FrameCounts, f_scores, frame_sizes
from avs_lightning.metrics.names import PROTOCOLS

LEVELS = 255
WIDTHS = (1, 1, 1, 1, 1, LEVELS, LEVELS)


@dataclass
class BinaryCounts(FrameCounts):
    """Numbers of pixels in each frame; the F-score needs them at every threshold.

    Attributes:
        foreground: [n, T] int32, pixels that sound by the ground truth.
        predicted: [n, T] int32, pixels with sigmoid(logit) > 0.5.
        correct: [n, T] int32, those of `predicted` that are foreground.
        predicted_at: [n, T, 255] int32, pixels with sigmoid(logit) >= the k-th threshold of the F-score.
        correct_at: [n, T, 255] int32, those of `predicted_at` that are foreground.
    """

    foreground: Tensor
    predicted: Tensor
    correct: Tensor
    predicted_at: Tensor
    correct_at: Tensor

    protocols = tuple(PROTOCOLS)

    def miou(self, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
        if protocol == "dataset":
            scored = self.scored()
            return (scored.correct.sum() / (scored.union().sum() + 1e-7)).float()
        return self._mean_over_batches(protocol, batch_clips, lambda batch: batch.frame_ious().mean())

    def fscore(self, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
        if protocol == "dataset":
            scored = self.scored()
            totals = scored.correct_at.sum(0), scored.predicted_at.sum(0), scored.foreground.sum()
            return f_scores(*totals).max().float()
        return self._mean_over_batches(protocol, batch_clips, BinaryCounts._best_of_mean_curve)

    def frame_ious(self) -> Tensor:
        """Return each frame's IoU in float64; for an empty ground truth the share of pixels predicted background."""
        empty = self.foreground == 0
        intersection = torch.where(empty, self.pixels - self.predicted, self.correct)
        union = torch.where(empty, self.pixels, self.union())
        return intersection.double() / (union.double() + 1e-7)

    def false_positives(self) -> Tensor:
        background = (self.pixels - self.foreground).double()
        return torch.where(background > 0, (self.predicted - self.correct) / background, torch.nan)

    def sounding(self) -> Tensor:
        return self.labelled & (self.foreground > 0)

    def clip_fscores(self) -> Tensor:
        """Return the best value of each clip's mean F curve over the frames that sound, [n]; 0 where none does."""
        kept = self.sounding()[..., None]
        curves = f_scores(self.correct_at, self.predicted_at, self.foreground[..., None])
        return (torch.where(kept, curves, 0).sum(1) / kept.sum(1)).float().nan_to_num().amax(1)

    def union(self) -> Tensor:
        """Return the pixels that sound or are predicted to."""
        return self.predicted + self.foreground - self.correct

    def _best_of_mean_curve(self) -> Tensor:
        frames = self[self.foreground > 0]
        if len(frames.foreground) == 0:
            return torch.zeros((), dtype=torch.float64, device=frames.foreground.device)
        return f_scores(frames.correct_at, frames.predicted_at, frames.foreground[:, None]).mean(0).max()

    def _mean_over_batches(self, protocol: str, batch_clips: int, score: Callable[[BinaryCounts], Tensor]) -> Tensor:
        """Score batches of clips and average; `frame` is one batch of all clips."""
        named = choose(protocol, PROTOCOLS, "protocol").partition("@")[2]
        size = len(self.labelled) if protocol == "frame" else int(named or batch_clips)
        return torch.stack([score(batch) for batch in self._batches(size)]).mean().float()

    def _batches(self, size: int) -> Iterator[BinaryCounts]:
        if size < 1:
            raise UserError(f"batch_clips={size}: a batch has at least one clip (published figures use 4)")
        self.scored()
        for start in range(0, len(self.labelled), size):
            batch = self[start : start + size]
            if batch.labelled.any():
                yield batch.scored()


def count_binary(logits: Tensor, masks: Tensor, labelled: Tensor) -> BinaryCounts:
    """Count the pixels of each frame.

    Args:
        logits: [n, T, 1, H, W].
        masks: [n, T, H, W]; above 0.5 where the pixel sounds.
        labelled: [n, T].
    """
    # One frame at a time stays in cache, and the last bit of a sigmoid depends on an element's place in its tensor:
    # so counted, a frame scores the same in every batch.
    levels = _levels(logits.device)
    frames = [_count_frame(*frame, levels) for frame in zip(logits.flatten(0, 2), (masks > 0.5).flatten(0, 1))]
    counted = (torch.stack(column).unflatten(0, labelled.shape) for column in zip(*frames))
    return BinaryCounts(labelled, frame_sizes(logits), *counted)


def thresholds() -> Tensor:
    """Return the F-score's 255 thresholds, [255] on the CPU; float32 on purpose: the last one then is exactly 1."""
    return torch.linspace(0, 1 - 1e-10, LEVELS, dtype=torch.float32)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a tensor made in inference mode could not be used in training later
def _levels(device: torch.device) -> Tensor:
    return thresholds().to(device)


def _count_frame(logits: Tensor, foreground: Tensor, levels: Tensor) -> tuple[Tensor, ...]:
    probabilities = logits.float().sigmoid().nan_to_num(0).flatten()  # NaN has no place to count at
    foreground = foreground.flatten()
    predicted = probabilities > 0.5
    # Threshold k is k/254 up to rounding: the nearest one needs no search, and is reached, or the one below it is.
    nearest = (probabilities * (LEVELS - 1)).round_().int()
    level = nearest - (probabilities < levels.index_select(0, nearest)).int()
    place = (level + LEVELS * foreground.int()).long()
    # Not `bincount`, which looks for the highest number first, on the host.
    histogram = place.new_zeros(2 * LEVELS).scatter_add_(0, place, place.new_ones(1).expand_as(place))
    background_at, correct_at = histogram.view(2, LEVELS).flip(1).cumsum(1).flip(1).int()
    counts = foreground.sum(), predicted.sum(), (predicted & foreground).sum()
    return *(count.int() for count in counts), background_at + correct_at, correct_at
