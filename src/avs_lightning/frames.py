"""Clips of different length in one batch: what works on single frames skips those that pad the shorter clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Lengths = Sequence[int] | None
"""How many frames of each clip exist, the first ones; None: all."""


def flatten_frames(x: Tensor, lengths: Lengths) -> Tensor:
    """Return the frames that exist, clip after clip: [B, T, ...] -> [F, ...]."""
    frames = x.flatten(0, 1)
    return frames if lengths is None else frames.index_select(0, _places(lengths, x))


def unflatten_frames(frames: Tensor, shape: Sequence[int], lengths: Lengths) -> Tensor:
    """Return the clips of what `flatten_frames` has returned, with zeros for padding: [F, ...] -> [*shape, ...].

    Args:
        frames: [F, ...].
        shape: (B, T).
        lengths: as they were.
    """
    if lengths is None:
        return frames.unflatten(0, tuple(shape))
    clips = frames.new_zeros(*shape, *frames.shape[1:])
    return clips.flatten(0, 1).index_copy(0, _places(lengths, clips), frames).unflatten(0, tuple(shape))


def existing(lengths: Sequence[int], frames: int, device: torch.device) -> Tensor:
    """Return which of T frames exist, [B, T] bool."""
    return torch.arange(frames, device=device) < on_device(lengths, device)[:, None]


def on_device(numbers: Sequence[int], device: torch.device) -> Tensor:
    """Return integers as a tensor [n] on a device, without waiting for it."""
    return torch.tensor(numbers).to(device, non_blocking=True)


def _places(lengths: Sequence[int], x: Tensor) -> Tensor:
    frames = x.shape[1]
    return on_device([clip * frames + t for clip, length in enumerate(lengths) for t in range(length)], x.device)
