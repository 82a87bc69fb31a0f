"""Pixels counted once per frame: every score of every protocol follows from these integers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import torch
from torch import Tensor

from avs_lightning.errors import UserError


@dataclass
class FrameCounts:
    """Numbers of pixels in each frame of n clips of T frames; a subclass says of what, and scores them.

    Attributes:
        labelled: [n, T] bool; the frames to score.
        pixels: [n, T] int32, all pixels; -1 where a prediction is NaN, see `checked`.
        protocols: those that the scores have.
    """

    labelled: Tensor
    pixels: Tensor

    protocols: ClassVar[tuple[str, ...]]

    @abstractmethod
    def miou(self, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
        """Return the mean intersection over union, see `mean_iou`."""

    @abstractmethod
    def fscore(self, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
        """Return the F-score, see `f_score`."""

    @abstractmethod
    def frame_ious(self) -> Tensor:
        """Return each frame's IoU, float64."""

    @abstractmethod
    def false_positives(self) -> Tensor:
        """Return each frame's share of background pixels that are switched on, float64; NaN where it has none."""

    @abstractmethod
    def sounding(self) -> Tensor:
        """Return which labelled frames have anything that sounds, bool."""

    @abstractmethod
    def clip_fscores(self) -> Tensor:
        """Return each clip's F-score over the frames that sound, [n]; 0 where none does."""

    def false_positive_rate(self) -> Tensor:
        """Return the share of background pixels that are switched on, averaged over frames that have any; else 0."""
        rates = self.scored().false_positives()
        rates = rates[~rates.isnan()]
        return (rates.sum() / max(len(rates), 1)).float()

    def scored(self) -> Self:
        """Return the labelled frames only, with one axis for [n, T].

        Raises:
            UserError: there is none.
        """
        if not self.labelled.any():
            raise UserError("there is no labelled frame to score: this split carries no masks")
        return self[self.labelled]

    def __getitem__(self, rows: slice | Tensor) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def numbers(self) -> Tensor:
        """Return all counts as one table [n, numbers a clip], int32; see `from_numbers`."""
        return torch.cat([getattr(self, field.name).flatten(1).int() for field in fields(self)], dim=1)

    @classmethod
    def from_numbers(cls, numbers: Tensor, widths: Sequence[int]) -> Self:
        """Take apart what `numbers` has joined; `widths` are how many numbers each field has a frame."""
        frames = numbers.shape[1] // sum(widths)
        parts = numbers.split([width * frames for width in widths], dim=1)
        labelled, *others = (
            part if width == 1 else part.unflatten(1, (frames, width)) for part, width in zip(parts, widths)
        )
        return cls(labelled.bool(), *others)

    def checked(self) -> Self:
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


def frame_sizes(logits: Tensor) -> Tensor:
    """Return the pixels of each frame of logits [n, T, K, H, W], [n, T] int32; -1 where one is NaN."""
    pixels = logits.shape[-2] * logits.shape[-1]
    return logits.isnan().any(-1).any(-1).any(-1).int().mul_(-1 - pixels).add_(pixels)


def f_scores(correct: Tensor, predicted: Tensor, foreground: Tensor) -> Tensor:
    """Return F-scores with beta^2 = 0.3, float64, from numbers of pixels that broadcast; 0 where nothing is correct."""
    precision = correct.double() / (predicted.double() + 1e-20)
    recall = correct.double() / (foreground.double() + 1e-20)
    return ((1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)).nan_to_num()


BETA_SQUARED = 0.3
