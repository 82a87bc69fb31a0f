"""The one batch type of the package: whatever the data set, a method sees `ClipBatch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass
class Clip:
    """One clip of T frames; the shapes are those of `ClipBatch` without the batch axis."""

    images: Tensor
    log_mel: Tensor
    masks: Tensor
    labelled: Tensor
    valid: Tensor
    waveform: Tensor | None
    rate: int
    id: str
    category: str
    index: int


@dataclass
class ClipBatch:
    """B clips of T frames.

    Attributes:
        images: [B, T, 3, H, W] float32, normalised with the ImageNet mean and standard deviation.
        log_mel: [B, T, 1, 96, 64] float32, one VGGish patch a frame.
        masks: [B, T, 1, H, W] float32, 1 where the pixel sounds; zeros where the frame is not labelled.
        labelled: [B, T] bool, the frames that carry a mask (S4 trains on the first one only).
        valid: [B, T] bool, the frames that exist (the rest is padding).
        waveform: [B, S] float32 in [-1, 1], or None where the clips were read from log-mel pickles.
        rate: samples a second of `waveform`.
        ids: B clip ids.
        categories: B category names; "" where the data set names none (MS3).
        indices: [B] int64, each clip's position in its data set; lets metrics drop the repeats of a padding sampler.
    """

    images: Tensor
    log_mel: Tensor
    masks: Tensor
    labelled: Tensor
    valid: Tensor
    waveform: Tensor | None
    rate: int
    ids: list[str]
    categories: list[str]
    indices: Tensor

    def __repr__(self) -> str:
        """Shapes and names: the values are millions."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        shown = {name: tuple(v.shape) if isinstance(v, Tensor) else v for name, v in values.items()}
        return f"ClipBatch({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def __len__(self) -> int:
        return self.images.shape[0]

    def _map(self, function) -> ClipBatch:  # type: ignore[no-untyped-def]
        changed = {f.name: function(v) for f in fields(self) if isinstance(v := getattr(self, f.name), Tensor)}
        return replace(self, **changed)

    def to(self, *args: object, **kwargs: object) -> ClipBatch:
        """Move every tensor, as `torch.Tensor.to` does (Lightning calls this)."""
        return self._map(lambda t: t.to(*args, **kwargs))

    def share_memory(self) -> ClipBatch:
        """Move every tensor into memory that other processes can read."""
        return self._map(lambda t: t.share_memory_())

    def pin_memory(self) -> ClipBatch:
        """Pin every tensor (the DataLoader calls this)."""
        return self._map(lambda t: t.pin_memory())


def collate_clips(clips: Sequence[Clip]) -> ClipBatch:
    """Stack clips of equal shape into a batch."""
    waveforms = [clip.waveform for clip in clips]
    return ClipBatch(
        images=torch.stack([clip.images for clip in clips]),
        log_mel=torch.stack([clip.log_mel for clip in clips]),
        masks=torch.stack([clip.masks for clip in clips]),
        labelled=torch.stack([clip.labelled for clip in clips]),
        valid=torch.stack([clip.valid for clip in clips]),
        waveform=None if any(w is None for w in waveforms) else torch.stack([w for w in waveforms if w is not None]),
        rate=clips[0].rate,
        ids=[clip.id for clip in clips],
        categories=[clip.category for clip in clips],
        indices=torch.tensor([clip.index for clip in clips], dtype=torch.int64),
    )
