"""Clips on disk to `Clip`s, whichever their layout."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from avs_lightning.data.audio import read_wav
from avs_lightning.data.clip import Clip
from avs_lightning.data.layouts import ClipRow, Layout
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


class LayoutDataset(ClipDataset):
    """One split of a data set in one of the layouts; a subclass names it.

    Args:
        root: as for the layout.
        split: "train", "val" or "test".
        image_size: height and width of frames and masks, in pixels; they have it on disk where the layout is exact.
        audio: "wav", "log_mel" (the official pickles), or "auto": the wav where there is one, else the pickle.
        limit: take the first `limit` clips only.

    Attributes:
        layout: of the files.
        classes: the names of the classes, the background first.
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
        self.classes = self.layout.classes
        self.image_size = image_size
        self.audio = audio
        selected = self._select(self.layout.rows(), split)
        self.clips, self.available = selected[:limit], len(selected)
        if not self.clips:
            raise UserError(f"{self.layout.csv} lists no clip of the split {split!r}: mark some in its column split")

    def _select(self, clips: Sequence[ClipRow], split: str) -> list[ClipRow]:
        return [clip for clip in clips if clip.split == split]

    def __getitem__(self, index: int) -> Clip:
        clip, size, classes, resize = self.clips[index], self.image_size, len(self.classes), not self.layout.exact
        frames, masks = self.layout.frame_files(clip), self.layout.mask_files(clip)
        images = torch.empty(len(frames), 3, size, size)
        labels = torch.zeros(len(frames), size, size, dtype=torch.uint8)
        for second, (frame, mask) in enumerate(zip(frames, masks)):
            shape = read_frame(frame, size, images[second], resize)
            if mask is not None:
                labels[second] = read_mask(mask, size, classes, shape)
        return Clip(
            images=images,
            sound=self._sound(clip, seconds=len(frames)),
            labels=labels,
            labelled=torch.tensor([mask is not None for mask in masks]),
            id=clip.id,
            category=clip.category,
            index=index,
        )

    def files(self, clip: ClipRow) -> Iterator[Path]:
        """Frames, the masks of those that are labelled, and the sound that is read by the setting `audio`."""
        for pair in zip(self.layout.frame_files(clip), self.layout.mask_files(clip)):
            yield from filter(None, pair)
        yield self.sound_file(clip)

    def sound_file(self, clip: ClipRow) -> Path:
        """The file that a clip's sound is read from, by the setting `audio`; it need not exist."""
        wav, pickle = self.layout.wav(clip), self.layout.log_mel(clip)
        if pickle is None or self.audio == "wav":
            return wav
        return wav if self.audio == "auto" and (wav.is_file() or not pickle.is_file()) else pickle

    def _sound(self, clip: ClipRow, seconds: int) -> Sound:
        file = self.sound_file(clip)
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
