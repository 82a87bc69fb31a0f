"""Which class sounds: counts and scores of one logit a pixel and class.

Scores follow those of AVSBench-semantic (Zhou et al., 2023) in its released code: a class counts in a frame where it is
true or predicted, there it has an IoU and an F-score, and what is reported is the mean over classes of their means over
frames. The protocols differ in what belongs to these means:

- `reference`: all K classes, also one that occurs nowhere, as 0; and frames that pad a clip, as right background.
- `frame`: the classes that occur, and the frames that exist.
- `dataset`: as `frame`, but each class has one IoU, of all its pixels at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from avs_lightning.errors import choose
from avs_lightning.metrics.counts import FrameCounts, f_scores, frame_sizes
from avs_lightning.metrics.names import CLASS_PROTOCOLS


@dataclass
class ClassCounts(FrameCounts):
    """Numbers of pixels in each frame by class; class 0 is the background.

    Attributes:
        padding: [n, T] int32, 1 for frames that do not exist.
        foreground: [n, T, K] int32, pixels that are of the class.
        predicted: [n, T, K] int32, pixels whose highest logit is the class's.
        correct: [n, T, K] int32, those of `predicted` that are of the class.
    """

    padding: Tensor
    foreground: Tensor
    predicted: Tensor
    correct: Tensor

    protocols = tuple(CLASS_PROTOCOLS)

    def miou(self, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
        scored = self._frames_of(protocol)
        return _mean(scored.class_ious(protocol), protocol)

    def fscore(self, protocol: str = "reference", batch_clips: int = 4) -> Tensor:
        scored = self._frames_of(protocol)
        return _mean(scored.class_fscores(protocol), protocol)

    def class_ious(self, protocol: str = "frame") -> Tensor:
        """Return the IoU of each class over frames [n, ...], [K] float64; NaN for one that occurs nowhere."""
        if protocol == "dataset":
            return self.correct.flatten(0, -2).sum(0).double() / self.union().flatten(0, -2).sum(0)
        return self._mean_over_frames(self._ious())

    def class_fscores(self, protocol: str = "frame") -> Tensor:
        """Return the F-score of each class over frames [n, ...], [K] float64; NaN for one that occurs nowhere."""
        if protocol == "dataset":
            totals = [part.flatten(0, -2).sum(0) for part in (self.correct, self.predicted, self.foreground)]
            return f_scores(*totals).where(self.union().flatten(0, -2).sum(0) > 0, torch.nan)
        return self._mean_over_frames(self._fscores())

    def by_class(self) -> dict[str, Tensor]:
        """Return of each class, over labelled frames, [K]: "iou", "fscore", and in how many "frames" it is true."""
        scored = self.scored()
        frames = (scored.foreground > 0).sum(0)
        return {"iou": scored.class_ious(), "fscore": scored.class_fscores(), "frames": frames}

    def frame_ious(self) -> Tensor:
        """Return each frame's mean IoU over the classes that are true or predicted in it, float64."""
        return self._mean_over_classes(self._ious())

    def false_positives(self) -> Tensor:
        background = self.foreground[..., 0].double()
        return torch.where(background > 0, (background - self.correct[..., 0]) / background, torch.nan)

    def sounding(self) -> Tensor:
        return self.labelled & (self.foreground[..., 1:].sum(-1) > 0)

    def clip_fscores(self) -> Tensor:
        """Return each clip's mean F-score over the frames that sound and their classes, [n]; 0 where none does."""
        kept = self.sounding()
        return (self._mean_over_classes(self._fscores()).where(kept, 0).sum(1) / kept.sum(1)).float().nan_to_num()

    def union(self) -> Tensor:
        """Return the pixels that are of a class or predicted as it, [..., K]."""
        return self.predicted + self.foreground - self.correct

    def _ious(self) -> Tensor:
        return self.correct.double() / (self.union().double() + 2e-16)

    def _fscores(self) -> Tensor:
        return f_scores(self.correct, self.predicted, self.foreground)

    def _mean_over_frames(self, values: Tensor) -> Tensor:
        occurs = self.union() > 0
        return values.where(occurs, 0).flatten(0, -2).sum(0) / occurs.flatten(0, -2).sum(0)

    def _mean_over_classes(self, values: Tensor) -> Tensor:
        occurs = self.union() > 0
        return values.where(occurs, 0).sum(-1) / occurs.sum(-1)

    def _frames_of(self, protocol: str) -> ClassCounts:
        choose(protocol, self.protocols, "protocol")
        scored = self.scored()
        return self[self.labelled | (self.padding > 0)] if protocol == "reference" else scored


def _mean(values: Tensor, protocol: str) -> Tensor:
    return (values.nan_to_num(0).mean() if protocol == "reference" else values.nanmean()).float()


def class_widths(classes: int) -> tuple[int, ...]:
    """Return how many numbers each field of `ClassCounts` has a frame."""
    return (1, 1, 1, classes, classes, classes)


def count_classes(logits: Tensor, labels: Tensor, labelled: Tensor, exists: Tensor) -> ClassCounts:
    """Count the pixels of each frame by class.

    Args:
        logits: [n, T, K, H, W].
        labels: [n, T, H, W], integers below K.
        labelled: [n, T].
        exists: [n, T] bool; a frame that does not is background, whatever is predicted.
    """
    classes = logits.shape[2]
    labels = labels.long()
    predicted = logits.argmax(dim=2).where(exists[..., None, None], 0)

    def histogram(values: Tensor, weights: Tensor) -> Tensor:
        # Not `bincount`, which looks for the highest number first, on the host.
        bins = torch.zeros(*labelled.shape, classes, dtype=torch.int32, device=values.device)
        return bins.scatter_add_(2, values.flatten(2), weights.flatten(2).int())

    every = torch.ones_like(labels)
    return ClassCounts(
        labelled,
        frame_sizes(logits),
        (~exists).int(),
        histogram(labels, every),
        histogram(predicted, every),
        histogram(labels, labels == predicted),
    )
