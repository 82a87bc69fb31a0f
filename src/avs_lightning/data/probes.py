"""Audio probes: the same pictures with a sound that is not theirs. A model that listens must do worse."""

from collections.abc import Callable, Sized
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import Dataset

from avs_lightning.data.clip import Clip, ClipBatch
from avs_lightning.data.log_mel import LOG_OFFSET
from avs_lightning.errors import UserError, near_matches

SILENCE = float(torch.tensor(LOG_OFFSET).log())


def mute(batch: ClipBatch) -> ClipBatch:
    """Return the batch with silence for sound."""
    return replace(
        batch,
        log_mel=torch.full_like(batch.log_mel, SILENCE),
        waveform=None if batch.waveform is None else torch.zeros_like(batch.waveform),
    )


def muted(dataset: Any, index: int) -> Clip:
    """The clip with silence for sound."""
    clip: Clip = dataset[index]
    silent = None if clip.waveform is None else torch.zeros_like(clip.waveform)
    return replace(clip, log_mel=torch.full_like(clip.log_mel, SILENCE), waveform=silent)


def swapped(dataset: Any, index: int) -> Clip:
    """The clip with the sound of the clip half a data set away: the same partner whatever the batch size."""
    clip, other = dataset[index], dataset[(index + max(1, len(dataset) // 2)) % len(dataset)]
    return replace(clip, log_mel=other.log_mel, waveform=other.waveform)


PROBES: dict[str, Callable[[Any, int], Clip]] = {"muted": muted, "swapped": swapped}


class ProbedDataset(Dataset[Clip]):
    """A data set whose clips have been given another sound."""

    def __init__(self, dataset: Sized, probe: Callable[[Any, int], Clip]):
        self.dataset = dataset
        self.probe = probe

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Clip:
        return self.probe(self.dataset, index)


def probe_dataset(dataset: Sized, name: str) -> ProbedDataset:
    """Return `dataset` heard through the probe `name`.

    Raises:
        UserError: there is no such probe.
    """
    if name not in PROBES:
        raise UserError(f"there is no audio probe {name!r}; there are {', '.join(PROBES)}{near_matches(name, PROBES)}")
    return ProbedDataset(dataset, PROBES[name])
