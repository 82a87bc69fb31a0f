"""AVSBench on disk to `Clip`s, whichever its setting."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from avs_lightning.data.audio import read_wav
from avs_lightning.data.clip import Clip
from avs_lightning.data.layout import ClipRow, Layout
from avs_lightning.data.metadata import SPLITS
from avs_lightning.data.pickles import load_log_mel_pickle
from avs_lightning.data.pictures import read_frame, read_mask
from avs_lightning.data.sound import Sound
from avs_lightning.data.spectrogram import MELS, PATCH_FRAMES, RATE
from avs_lightning.errors import UserError, choose

Audio = Literal["auto", "wav", "log_mel"]
AUDIO = ("auto", "wav", "log_mel")


class ClipDataset(Dataset[Clip]):
    """The clips of one split, in an order that stays.

    Attributes:
        clips: what is known of each without reading its files: `id`, `category` ("" where there is none) and `split`.
        available: how many there are where nothing limits them.
    """

    clips: Sequence[ClipRow]
    available: int

    def __len__(self) -> int:
        return len(self.clips)

    @abstractmethod
    def __getitem__(self, index: int) -> Clip:
        """Read a clip; its `index` is its place here.

        Raises:
            UserError: a file is missing, unreadable or of another size.
        """

    @abstractmethod
    def files(self, clip: ClipRow) -> Iterator[Path]:
        """Every file that is read of a clip, whether or not it exists: frames, masks and sound."""


class AVSBenchDataset(ClipDataset):
    """One split of an AVSBench setting; a subclass names its layout.

    Args:
        root: the folder that holds the setting's folder, or that folder itself.
        split: "train", "val" or "test".
        image_size: height and width of the frames and masks on disk, in pixels.
        audio: "wav", "log_mel" (the official pickles), or "auto": the wav where there is one, else the pickle.
        limit: take the first `limit` clips only.

    Attributes:
        clips: what the metadata says of each.
        available: how many there are without `limit`.

    Raises:
        UserError: here for a missing folder or a bad CSV; from `dataset[i]` for a file that is missing, unreadable or
            of another size.
    """

    layout_type: ClassVar[type[Layout]]

    def __init__(
        self,
        root: str | Path,
        split: str,
        image_size: int = 224,
        audio: Audio = "auto",
        limit: int | None = None,
    ) -> None:
        choose(split, SPLITS, "split")
        choose(audio, AUDIO, "data.audio")
        self.layout = self.layout_type(root)
        self.image_size = image_size
        self.audio = audio
        selected = self._select(self.layout.rows(), split)
        self.clips, self.available = selected[:limit], len(selected)
        if not self.clips:
            raise UserError(f"{self.layout.csv} lists no clip of the split {split!r}")

    def _select(self, clips: Sequence[ClipRow], split: str) -> list[ClipRow]:
        return [clip for clip in clips if clip.split == split]

    def __getitem__(self, index: int) -> Clip:
        clip = self.clips[index]
        seconds, size = self.layout.frames, self.image_size
        images = torch.empty(seconds, 3, size, size)
        labels = torch.zeros(seconds, size, size, dtype=torch.uint8)
        labelled = self.layout.labelled(clip)
        for second in range(seconds):
            read_frame(self.layout.frame(clip, second), size, out=images[second])
            if labelled[second]:
                labels[second] = read_mask(self.layout.mask(clip, second), size)
        return Clip(
            images=images,
            sound=self._sound(clip),
            labels=labels,
            labelled=torch.tensor(labelled),
            id=clip.id,
            category=clip.category,
            index=index,
        )

    def files(self, clip: ClipRow) -> Iterator[Path]:
        """Frames, the masks of those that are labelled, and the sound that is read by the setting `audio`."""
        for second, labelled in enumerate(self.layout.labelled(clip)):
            yield self.layout.frame(clip, second)
            if labelled:
                yield self.layout.mask(clip, second)
        yield self.sound_file(clip)

    def sound_file(self, clip: ClipRow) -> Path:
        """The file that a clip's sound is read from, by the setting `audio`; it need not exist."""
        wav, pickle = self.layout.wav(clip), self.layout.log_mel(clip)
        first = self.audio == "wav" or (self.audio == "auto" and (wav.is_file() or not pickle.is_file()))
        return wav if first else pickle

    def _sound(self, clip: ClipRow) -> Sound:
        file, seconds = self.sound_file(clip), self.layout.frames
        if file == self.layout.log_mel(clip):
            return Sound.from_log_mel(read_patches(file, seconds))
        if not file.is_file():
            also = (
                f" (nor is there {self.layout.log_mel(clip)})"
                if self.audio == "auto"
                else "; data.audio=log_mel reads the pickles"
            )
            raise UserError(f"sound file missing: {file}{also}; `avs data check` lists all that is wrong")
        return Sound.of(read_wav(file, RATE, seconds), RATE, samples=seconds * RATE)


def read_patches(path: Path, seconds: int) -> Tensor:
    """The [seconds, 1, 96, 64] patches of a pickle; a missing last patch repeats the one before."""
    patches = load_log_mel_pickle(path).float()
    if patches.ndim != 4 or patches.shape[1:] != (1, PATCH_FRAMES, MELS) or not len(patches):
        raise UserError(f"{path} holds a tensor {list(patches.shape)}, expected [{seconds}, 1, {PATCH_FRAMES}, {MELS}]")
    if not patches.isfinite().all():
        raise UserError(
            f"{path} has values that are NaN or infinite: compute it again, or read the wav (data.audio=wav)"
        )
    return torch.cat([patches[:seconds], patches[-1:].expand(max(0, seconds - len(patches)), -1, -1, -1)])
