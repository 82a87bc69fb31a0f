"""The one batch type of the package: whatever the data set, a method sees `ClipBatch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from avs_lightning.data.sound import Sound, collate_sounds, described

T = TypeVar("T")


@dataclass
class Clip:
    """One clip of T frames; the shapes are those of `ClipBatch` without the batch axis."""

    images: Tensor
    sound: Sound
    labels: Tensor
    labelled: Tensor
    valid: Tensor
    id: str
    category: str
    index: int


@dataclass
class ClipBatch:
    """B clips of T frames.

    Attributes:
        images: [B, T, 3, H, W] float32, normalised with the ImageNet mean and standard deviation.
        sound: what is heard; a method makes of it what its network hears.
        labels: [B, T, H, W] uint8, the class of each pixel; 0, the background, where the frame is not labelled.
        labelled: [B, T] bool, the frames that carry a mask (S4 trains on the first one only); within `valid`.
        valid: [B, T] bool, the frames that exist (the rest is padding).
        ids: B clip ids.
        categories: B category names; "" where the data set names none (MS3).
        indices: [B] int64, each clip's position in its data set; lets metrics drop the repeats of a padding sampler.
    """

    images: Tensor
    sound: Sound
    labels: Tensor
    labelled: Tensor
    valid: Tensor
    ids: list[str]
    categories: list[str]
    indices: Tensor

    @property
    def masks(self) -> Tensor:
        """[B, T, 1, H, W] float32, 1 where a pixel is of any class but the background: where it sounds."""
        return (self.labels > 0).float().unsqueeze(-3)

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


def collate_clips(clips: Sequence[Clip]) -> ClipBatch:
    """Stack clips of equal shape into a batch."""
    return ClipBatch(
        images=torch.stack([clip.images for clip in clips]),
        sound=collate_sounds([clip.sound for clip in clips]),
        labels=torch.stack([clip.labels for clip in clips]),
        labelled=torch.stack([clip.labelled for clip in clips]),
        valid=torch.stack([clip.valid for clip in clips]),
        ids=[clip.id for clip in clips],
        categories=[clip.category for clip in clips],
        indices=torch.tensor([clip.index for clip in clips], dtype=torch.int64),
    )


def example_batch(clips: int, image_size: int, frames: int = 5, seed: int = 0, rate: int = 16_000) -> ClipBatch:
    """Return clips of noise, the same for the same seed; every frame is labelled and half of its pixels sound."""
    draw = torch.Generator().manual_seed(seed)
    size = (clips, frames, image_size, image_size)
    return ClipBatch(
        images=torch.randn(clips, frames, 3, image_size, image_size, generator=draw),
        sound=Sound(torch.rand(clips, frames * rate, generator=draw) - 0.5, rate, torch.full((clips,), frames * rate)),
        labels=torch.randint(2, size, generator=draw, dtype=torch.uint8),
        labelled=torch.ones(clips, frames, dtype=torch.bool),
        valid=torch.ones(clips, frames, dtype=torch.bool),
        ids=[f"noise {number}" for number in range(clips)],
        categories=[""] * clips,
        indices=torch.arange(clips),
    )
