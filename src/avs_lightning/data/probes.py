"""Audio probes: the same pictures with a sound that is not theirs. A model that listens must do worse."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.utils.data import Dataset

from avs_lightning.data.audio import read_wav
from avs_lightning.data.clip import Clip, ClipBatch
from avs_lightning.data.sound import Sound
from avs_lightning.data.sound_names import probe_names
from avs_lightning.errors import UserError

Probe = Callable[[Any, int], Clip]
C = TypeVar("C", Clip, ClipBatch)

NOISE_LEVEL = 0.1  # root mean square, of full scale; recorded sounds of frogs to aeroplanes measure 0.03 to 0.13


def muted(dataset: Any, index: int) -> Clip:
    """The clip with silence for sound."""
    clip: Clip = dataset[index]
    return mute(clip)


def noise(dataset: Any, index: int) -> Clip:
    """The clip with white noise for sound, drawn by its index: the same in every run."""
    clip: Clip = dataset[index]
    generator = torch.Generator().manual_seed(index)
    samples = len(clip.images) * clip.sound.rate
    return replace(clip, sound=Sound.of(NOISE_LEVEL * torch.randn(samples, generator=generator), clip.sound.rate))


def swapped(dataset: Any, index: int) -> Clip:
    """The clip with the sound of the clip half a data set away: the same partner whatever the batch size.

    Raises:
        UserError: there is no other clip.
    """
    if len(dataset) < 2:
        raise UserError("the audio probe 'swapped' needs two clips at least: a lone one has no other's sound to hear")
    clip, other = dataset[index], dataset[(index + max(1, len(dataset) // 2)) % len(dataset)]
    return replace(clip, sound=other.sound)


def permuted(dataset: Any, index: int) -> Clip:
    """The clip with its own sound, of which each second hears the one half a clip later (the second after the next)."""
    clip: Clip = dataset[index]
    seconds = len(clip.images)
    order = torch.arange(seconds).roll(-max(1, seconds // 2))
    return replace(clip, sound=clip.sound.reordered(order))


class OffScreen:
    """The clip with a sound that is not on screen, from a folder of wav files: the k-th clip hears the k-th file.

    Files may have any rate and length: a longer one is cut, a shorter one is repeated. With more clips than files the
    files come round again.

    Raises:
        UserError: there is no such folder, it has no wav file, or one that cannot be read.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder).expanduser()
        if not folder.is_dir():
            raise UserError(f"probe_sounds={folder}: there is no such folder; give one that holds wav files")
        self.files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".wav")
        if not self.files:
            raise UserError(f"probe_sounds={folder}: the folder holds no wav file (*.wav)")
        for file in self.files:
            read_wav(file, seconds=0.1)  # a damaged one is told now, not after the training

    def __call__(self, dataset: Any, index: int) -> Clip:
        clip: Clip = dataset[index]
        file, seconds, rate = self.files[index % len(self.files)], len(clip.images), clip.sound.rate
        heard, samples = read_wav(file, rate, seconds), seconds * rate
        return replace(clip, sound=Sound.of(heard.repeat(-(-samples // len(heard)))[:samples], rate))


def mute(clips: C) -> C:
    """Return a clip or a batch with silence for sound."""
    return replace(clips, sound=clips.sound.silent(clips.images.shape[-4]))


PROBES: dict[str, Probe] = {"muted": muted, "noise": noise, "swapped": swapped, "permuted": permuted}


def chosen_probes(probes: str | Sequence[str] | None, sounds: str | Path | None = None) -> dict[str, Probe]:
    """Return the probes of `probe_names`.

    Raises:
        UserError: there is no such probe, or the sounds of "offscreen" are missing or not usable.
    """
    return {name: PROBES.get(name) or OffScreen(str(sounds)) for name in probe_names(probes, sounds)}


class ProbedDataset(Dataset[Clip]):
    """A data set whose clips have been given another sound."""

    def __init__(self, dataset: Sized, probe: Probe):
        self.dataset = dataset
        self.probe = probe

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Clip:
        return self.probe(self.dataset, index)
