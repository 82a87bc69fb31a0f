"""What is heard in clips, whatever a method makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from avs_lightning.data.spectrogram import RATE, log_mel


@dataclass
class Sound:
    """What is heard in a clip, or with a leading axis in B clips.

    Attributes:
        waveform: [S] or [B, S] float32 in [-1, 1]; None where there is nothing but the log-mel.
        rate: samples a second of the waveform.
        length: [] or [B] int64, samples that were recorded; silence fills up the rest.
        log_mel: [T, 1, 96, 64] or [B, T, 1, 96, 64] float32, VGGish's patches, one a frame; else None.
    """

    waveform: Tensor | None
    rate: int
    length: Tensor
    log_mel: Tensor | None = None

    @classmethod
    def of(cls, waveform: Tensor, rate: int, samples: int | None = None) -> Sound:
        """Return the sound of a waveform [S]; a shorter one is filled up with silence to `samples`."""
        length = waveform.shape[-1]
        filled = torch.nn.functional.pad(waveform, (0, max(0, (samples or 0) - length)))
        return cls(filled, rate, torch.tensor(length))

    @classmethod
    def from_log_mel(cls, patches: Tensor) -> Sound:
        """Return a sound of which nothing is left but its VGGish patches [..., T, 1, 96, 64]."""
        return cls(None, RATE, torch.zeros(patches.shape[:-4], dtype=torch.int64), patches)

    def __repr__(self) -> str:
        return described(self)

    def patches(self, frames: int) -> Tensor:
        """Return VGGish's log-mel patches [..., frames, 1, 96, 64], computed on the device where there are none.

        A patch that a recording is too short for repeats its last one, see `log_mel`.
        """
        if self.waveform is None:
            assert self.log_mel is not None
            return self.log_mel
        return log_mel(self.waveform, self.rate, frames, self.length)

    def silent(self, frames: int) -> Sound:
        """Return silence in its place, for clips of as many frames, a second each."""
        shape = self.length.shape
        samples = frames * self.rate if self.waveform is None else self.waveform.shape[-1]
        device = self.length.device
        return Sound(torch.zeros(*shape, samples, device=device), self.rate, torch.full_like(self.length, samples))

    def reordered(self, order: Tensor) -> Sound:
        """Return a clip's sound with its seconds in another order [T]."""
        if self.waveform is None:
            assert self.log_mel is not None
            return Sound.from_log_mel(self.log_mel[order])
        return Sound.of(self.waveform.unflatten(0, (len(order), -1))[order].flatten(), self.rate)


def described(value: Any) -> str:
    """Return a dataclass as its repr has it, but tensors by their shapes: the values are millions."""
    parts = {f.name: getattr(value, f.name) for f in fields(value)}
    shown = {name: tuple(part.shape) if isinstance(part, Tensor) else part for name, part in parts.items()}
    return f"{type(value).__name__}({', '.join(f'{name}={part}' for name, part in shown.items())})"


def collate_sounds(sounds: Sequence[Sound], frames: int) -> Sound:
    """Stack the sounds of clips of up to `frames` seconds, the shorter ones filled up with silence.

    Where any has its log-mel alone, all are given by theirs.
    """
    waveforms = [sound.waveform for sound in sounds if sound.waveform is not None]
    if len(waveforms) == len(sounds):
        stacked = pad_sequence(waveforms, batch_first=True)
        return Sound(stacked, sounds[0].rate, torch.stack([sound.length for sound in sounds]))
    return Sound.from_log_mel(torch.stack([filled(sound.patches(frames)[:frames], frames) for sound in sounds]))


def filled(values: Tensor, length: int) -> Tensor:
    """Return values [n, ...] with zeros behind them, [length, ...].

    Raises:
        ValueError: there are more.
    """
    if (missing := length - len(values)) < 0:
        raise ValueError(f"a clip has {len(values)} frames, but its data set says that none has more than {length}")
    return torch.cat([values, values.new_zeros(missing, *values.shape[1:])]) if missing else values
