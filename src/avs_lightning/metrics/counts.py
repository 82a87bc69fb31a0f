"""Pixels counted once per frame: every score of every protocol follows from these integers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor

from avs_lightning.errors import UserError

LEVELS = 255


@dataclass
class FrameCounts:
    """Numbers of pixels in each frame of n clips of T frames.

    Attributes:
        labelled: [n, T] bool; the frames to score.
        pixels: [n, T] int32, all pixels; -1 where a prediction is NaN, see `checked`.
        foreground: [n, T] int32, pixels that sound by the ground truth.
        predicted: [n, T] int32, pixels with sigmoid(logit) > 0.5.
        correct: [n, T] int32, those of `predicted` that are foreground.
        predicted_at: [n, T, 255] int32, pixels with sigmoid(logit) >= the k-th threshold of the F-score.
        correct_at: [n, T, 255] int32, those of `predicted_at` that are foreground.
    """

    labelled: Tensor
    pixels: Tensor
    foreground: Tensor
    predicted: Tensor
    correct: Tensor
    predicted_at: Tensor
    correct_at: Tensor

    def __getitem__(self, rows: slice | Tensor) -> FrameCounts:
        return FrameCounts(*(getattr(self, field.name)[rows] for field in fields(self)))

    def numbers(self) -> Tensor:
        """Return all counts as one table [n, numbers a clip], int32; see `from_numbers`."""
        return torch.cat([getattr(self, field.name).flatten(1).int() for field in fields(self)], dim=1)

    def checked(self) -> FrameCounts:
        """Return the counts, which no prediction makes meaningless.

        Raises:
            UserError: a logit was NaN: compared with a threshold it reads as background, so that a network that has
                diverged would still score.
        """
        if (broken := self.pixels < 0).any():
            clip, frame = broken.nonzero()[0].tolist()
            raise UserError(
                f"a prediction is NaN (clip {clip} of those scored, frame {frame}): the network has diverged; lower "
                "the learning rate, clip gradients (trainer.gradient_clip_val) or train in 32-bit (trainer.precision)"
            )
        return self

    @classmethod
    def from_numbers(cls, numbers: Tensor) -> FrameCounts:
        """Take apart what `numbers` has joined."""
        frames = numbers.shape[1] // (5 + 2 * LEVELS)
        labelled, *single, predicted_at, correct_at = numbers.split([frames] * 5 + [frames * LEVELS] * 2, dim=1)
        levels = (part.unflatten(1, (frames, LEVELS)) for part in (predicted_at, correct_at))
        return cls(labelled.bool(), *single, *levels)


def count_frames(logits: Tensor, masks: Tensor, labelled: Tensor | None = None) -> FrameCounts:
    """Count the pixels of each frame; nothing here waits for the device, and so NaN is found by `FrameCounts.checked`.

    Args:
        logits: [clips, T, H, W] or [clips, T, 1, H, W].
        masks: the same shape; above 0.5 where the pixel sounds.
        labelled: [clips, T], the frames that carry a mask; None for all.

    Raises:
        UserError: for shapes that do not fit.
    """
    logits, masks, labelled = _checked(logits.detach(), masks, labelled)
    # One frame at a time stays in cache, and the last bit of a sigmoid depends on an element's place in its tensor:
    # so counted, a frame scores the same in every batch.
    levels = _levels(logits.device)
    frames = [_count_frame(*frame, levels) for frame in zip(logits.flatten(0, 1), masks.flatten(0, 1))]
    pixels = logits.isnan().any(-1).any(-1).int().mul_(-1 - logits[0, 0].numel()).add_(logits[0, 0].numel())
    counted = (torch.stack(column).unflatten(0, labelled.shape) for column in zip(*frames))
    return FrameCounts(labelled, pixels, *counted)


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


def _checked(logits: Tensor, masks: Tensor, labelled: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    given = f"logits {list(logits.shape)}, masks {list(masks.shape)}"
    if logits.shape != masks.shape or logits.ndim not in (4, 5) or (logits.ndim == 5 and logits.shape[2] != 1):
        raise UserError(f"{given}: both must be [clips, T, H, W] or [clips, T, 1, H, W]")
    if labelled is None:
        labelled = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    if labelled.shape != logits.shape[:2]:
        raise UserError(f"labelled {list(labelled.shape)} must be [clips, T] = {list(logits.shape[:2])}")
    size = logits.shape[-2:]
    return logits.reshape(*labelled.shape, *size), masks.reshape(*labelled.shape, *size) > 0.5, labelled.bool()
