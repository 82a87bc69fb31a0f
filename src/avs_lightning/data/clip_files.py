"""Looks at the files of one clip, with the functions that training reads them by."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from avs_lightning.data.audio import Recording
from avs_lightning.data.datasets import read_patches
from avs_lightning.data.layout import ClipRow, Layout
from avs_lightning.data.pictures import MaskPixels, read_frame
from avs_lightning.data.problems import Problem
from avs_lightning.data.spectrogram import RATE
from avs_lightning.errors import UserError

LENGTH_TOLERANCE = 0.1


def clip_problems(layout: Layout, clip: ClipRow, size: int) -> Iterator[Problem]:
    """Yield what is wrong with the frames, masks and sounds of a clip.

    Args:
        layout: of its data set.
        clip: its row in the CSV.
        size: the height and width that frames and masks should have, pixels.
    """
    labelled = layout.labelled(clip)
    for second in range(layout.frames):
        yield from _check_picture("frame", layout, clip, layout.frame(clip, second), size)
        if labelled[second]:
            yield from _check_picture("mask", layout, clip, layout.mask(clip, second), size)
    yield from _check_sound(layout, clip)


def _check_picture(what: str, layout: Layout, clip: ClipRow, path: Path, size: int) -> Iterator[Problem]:
    try:
        if what == "mask":
            yield from _check_mask(layout, clip, path, MaskPixels.read(path, size))
        else:
            read_frame(path, size, torch.empty(3, size, size))
            if transparent := _transparent_pixels(path):
                detail = f"{transparent:,} transparent pixels; training reads the colours that are stored there"
                yield Problem("frame transparent", clip.id, path, detail, note=True)
    except UserError as error:
        if not path.is_file():
            yield Problem(f"{what} missing", clip.id, path, "")
        elif other := _other_size(path, size):
            yield Problem(f"{what} size", clip.id, path, f"{other} pixels, expected {size}x{size}")
        else:
            yield Problem(f"{what} unreadable", clip.id, path, _reason(error, path))


def _check_mask(layout: Layout, clip: ClipRow, path: Path, pixels: MaskPixels) -> Iterator[Problem]:
    grey = not pixels.indexed and pixels.values.shape[-1] == 1
    most = 2 if grey else 1 + layout.most_objects
    if pixels.levels > most:
        detail = (
            f"{pixels.levels} different values, expected at most {most}; all but 0 sound in training, so that soft "
            "(anti-aliased) edges enlarge the object"
        )
        yield Problem("mask values", clip.id, path, detail)


def _other_size(path: Path, size: int) -> str | None:
    """The size of a picture that has not the expected one."""
    try:
        with Image.open(path) as picture:
            return None if picture.size == (size, size) else f"{picture.width}x{picture.height}"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _transparent_pixels(path: Path) -> int:
    with Image.open(path) as picture:
        if not picture.has_transparency_data:
            return 0
        return sum(picture.convert("RGBA").getchannel("A").histogram()[:255])


def _check_sound(layout: Layout, clip: ClipRow) -> Iterator[Problem]:
    wav, pickle = layout.wav(clip), layout.log_mel(clip)
    if pickle.is_file():
        try:
            read_patches(pickle, layout.frames)
        except UserError as error:
            yield Problem("log-mel pickle unreadable", clip.id, pickle, _reason(error, pickle))
    if wav.is_file():
        yield from _check_wav(clip, wav, layout.frames)
    elif pickle.is_file():
        yield Problem("wav missing", clip.id, wav, "the log-mel pickle is there and will be read", note=True)
    else:
        yield Problem("wav missing", clip.id, wav, "nor is there a log-mel pickle")


def _check_wav(clip: ClipRow, path: Path, seconds: float) -> Iterator[Problem]:
    try:
        sound = Recording.read(path, seconds)
    except UserError as error:
        yield Problem("wav unreadable", clip.id, path, _reason(error, path))
        return
    channels = sound.samples.shape[1]
    if sound.rate != RATE:
        yield Problem("wav rate", clip.id, path, f"{sound.rate:,} Hz, expected {RATE:,}; training resamples it")
    if channels != 1 and not sound.cancels:
        yield Problem("wav channels", clip.id, path, f"{channels}, expected 1; training averages them")
    if not sound.samples.any():
        yield Problem("wav silent", clip.id, path, "every sample is 0")
    elif sound.cancels:
        yield Problem("wav cancels", clip.id, path, "the channels' average, which training hears, is next to silence")
    if not math.isclose(sound.seconds, seconds, abs_tol=LENGTH_TOLERANCE):
        mended = "is cut" if sound.seconds > seconds else "repeats the log-mel patch of its last whole second"
        detail = f"{sound.seconds:.2f} s, expected {seconds:.0f}; in training it {mended}"
        yield Problem("wav length", clip.id, path, detail)


def _reason(error: Exception, path: Path) -> str:
    """The message less the path, which has a column of its own."""
    return str(error).replace(str(path), "").strip(" :")
