"""The one batch type of the package: whatever the data set, a method sees `ClipBatch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from avs_lightning.data.sound import Sound, collate_sounds, described, filled
from avs_lightning.frames import existing

T = TypeVar("T")


@dataclass
class Clip:
    """One clip of as many frames as it has; the shapes are those of `ClipBatch` without the batch axis."""

    images: Tensor
    sound: Sound
    labels: Tensor
    labelled: Tensor
    id: str
    category: str
    index: int


@dataclass
class ClipBatch:
    """B clips of T frames; a shorter one is filled up: its padding is black, silent and not labelled.

    Attributes:
        images: [B, T, 3, H, W] float32, normalised with the ImageNet mean and standard deviation.
        sound: what is heard; a method makes of it what its network hears.
        labels: [B, T, H, W] uint8, the class of each pixel; 0, the background, where the frame is not labelled.
        labelled: [B, T] bool, the frames that carry a mask (S4 trains on the first one only).
        lengths: B numbers of frames that exist, the first ones; known without asking the device.
        ids: B clip ids.
        categories: B category names; "" where the data set names none (MS3).
        indices: [B] int64, each clip's position in its data set; lets metrics drop the repeats of a padding sampler.
    """

    images: Tensor
    sound: Sound
    labels: Tensor
    labelled: Tensor
    lengths: list[int]
    ids: list[str]
    categories: list[str]
    indices: Tensor

    @property
    def valid(self) -> Tensor:
        """[B, T] bool, the frames that exist."""
        return existing(self.lengths, self.images.shape[1], self.images.device)

    def __repr__(self) -> str:
        return described(self)

    def __len__(self) -> int:
        return self.images.shape[0]

    def to(self, *args: object, **kwargs: object) -> ClipBatch:
        """Move every tensor, as `torch.Tensor.to` does (Lightning calls this)."""
        return map_tensors(self, lambda t: t.to(*args, **kwargs))  # type: ignore[call-overload]

    def share_memory(self) -> ClipBatch:
        """Move every tensor into memory that other processes can read."""
        return map_tensors(self, Tensor.share_memory_)

    def pin_memory(self) -> ClipBatch:
        """Pin every tensor (the DataLoader calls this)."""
        return map_tensors(self, Tensor.pin_memory)


def map_tensors(value: T, function: Callable[[Tensor], Tensor]) -> T:
    """Return a dataclass with `function` of every tensor in it, also of those inside the dataclasses that it holds."""
    changed: dict[str, object] = {}
    for f in fields(value):  # type: ignore[arg-type]
        part = getattr(value, f.name)
        if isinstance(part, Tensor):
            changed[f.name] = function(part)
        elif is_dataclass(part):
            changed[f.name] = map_tensors(part, function)
    return replace(value, **changed)  # type: ignore[type-var]


def collate_clips(clips: Sequence[Clip], frames: int | None = None) -> ClipBatch:
    """Stack clips into a batch.

    Args:
        clips: of images of equal size.
        frames: T; None for the frames of the longest clip.
    """
    lengths = [len(clip.images) for clip in clips]
    frames = frames or max(lengths)
    return ClipBatch(
        images=torch.stack([filled(clip.images, frames) for clip in clips]),
        sound=collate_sounds([clip.sound for clip in clips], frames),
        labels=torch.stack([filled(clip.labels, frames) for clip in clips]),
        labelled=torch.stack([filled(clip.labelled, frames) for clip in clips]),
        lengths=lengths,
        ids=[clip.id for clip in clips],
        categories=[clip.category for clip in clips],
        indices=torch.tensor([clip.index for clip in clips], dtype=torch.int64),
    )


def example_batch(
    clips: int, image_size: int, frames: int = 5, classes: int = 2, seed: int = 0, rate: int = 16_000
) -> ClipBatch:
    """Return clips of noise, the same for the same seed; every frame is labelled, with as many pixels of each class."""
    draw = torch.Generator().manual_seed(seed)
    size = (clips, frames, image_size, image_size)
    return ClipBatch(
        images=torch.randn(clips, frames, 3, image_size, image_size, generator=draw),
        sound=Sound(torch.rand(clips, frames * rate, generator=draw) - 0.5, rate, torch.full((clips,), frames * rate)),
        labels=torch.randint(classes, size, generator=draw, dtype=torch.uint8),
        labelled=torch.ones(clips, frames, dtype=torch.bool),
        lengths=[frames] * clips,
        ids=[f"noise {number}" for number in range(clips)],
        categories=[""] * clips,
        indices=torch.arange(clips),
    )
