"""Looks at the files of one clip, with the functions that training reads them by."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from avs_lightning.data.audio import Recording
from avs_lightning.data.datasets import read_patches
from avs_lightning.data.layouts import ClipRow, Layout
from avs_lightning.data.pictures import MaskPixels, read_frame
from avs_lightning.data.problems import Problem
from avs_lightning.data.spectrogram import RATE
from avs_lightning.errors import UserError

LENGTH_TOLERANCE = {True: 0.1, False: 1.0}
"""Seconds by which a sound may be longer or shorter than its clip, where the layout is exact and where not."""


def clip_problems(layout: Layout, clip: ClipRow, size: int) -> Iterator[Problem]:
    """Yield what is wrong with the frames, masks and sounds of a clip.

    Args:
        layout: of its data set.
        clip: its row in the CSV.
        size: the height and width that frames and masks should have where the layout is exact, pixels.
    """
    folder = layout.clip_folder(clip)
    try:
        frames = layout.frame_files(clip)
    except UserError as error:
        yield Problem("clip missing", clip.id, folder, str(error))
        return
    try:
        masks = layout.mask_files(clip)
    except UserError as error:
        yield Problem("masks", clip.id, folder, str(error))
        masks = [None] * len(frames)
    for frame, mask in zip(frames, masks):
        yield from _check_frame(layout, clip, frame, size)
        if mask is not None:
            expected = (size, size) if layout.exact else _size(frame)
            yield from _check_mask(layout, clip, mask, expected)
    yield from _check_sound(layout, clip, len(frames))


def _check_frame(layout: Layout, clip: ClipRow, path: Path, size: int) -> Iterator[Problem]:
    try:
        read_frame(path, size, torch.empty(3, size, size), resize=not layout.exact)
    except UserError as error:
        yield _unusable("frame", clip, path, error, (size, size) if layout.exact else None)
        return
    if transparent := _transparent_pixels(path):
        detail = f"{transparent:,} transparent pixels; training reads the colours that are stored there"
        yield Problem("frame transparent", clip.id, path, detail, note=True)


def _check_mask(layout: Layout, clip: ClipRow, path: Path, expected: tuple[int, int] | None) -> Iterator[Problem]:
    """A mask may have any size (None) where its frame cannot be read."""
    expected = expected or _size(path) or (0, 0)
    classes = len(layout.classes)
    try:
        pixels = MaskPixels.read(path, expected)
    except UserError as error:
        yield _unusable("mask", clip, path, error, expected)
        return
    if classes > 2:
        try:
            pixels.labels(classes, path)
        except UserError as error:
            yield Problem("mask values", clip.id, path, _reason(error, path))
        return
    grey = not pixels.indexed and pixels.values.shape[-1] == 1
    most = 2 if grey else 1 + layout.most_objects
    if pixels.levels > most:
        detail = (
            f"{pixels.levels} different values, expected at most {most}; all but 0 sound in training, so that soft "
            "(anti-aliased) edges enlarge the object"
        )
        if not layout.exact:
            detail += "; where the values are classes, classes.txt has to name them"
        yield Problem("mask values", clip.id, path, detail)


def _unusable(what: str, clip: ClipRow, path: Path, error: UserError, expected: tuple[int, int] | None) -> Problem:
    if not path.is_file():
        return Problem(f"{what} missing", clip.id, path, "")
    found = _size(path)
    if found and expected and found != expected:
        sizes = " pixels, expected ".join(f"{width}x{height}" for width, height in (found, expected))
        return Problem(f"{what} size", clip.id, path, sizes)
    return Problem(f"{what} unreadable", clip.id, path, _reason(error, path))


def _size(path: Path) -> tuple[int, int] | None:
    """The width and height of a picture, if it is one."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _transparent_pixels(path: Path) -> int:
    with Image.open(path) as picture:
        if not picture.has_transparency_data:
            return 0
        return sum(picture.convert("RGBA").getchannel("A").histogram()[:255])


def _check_sound(layout: Layout, clip: ClipRow, seconds: int) -> Iterator[Problem]:
    try:
        wav, pickle = layout.wav(clip), layout.log_mel(clip)
    except UserError as error:
        yield Problem("wav missing", clip.id, layout.clip_folder(clip), str(error))
        return
    if pickle and pickle.is_file():
        try:
            read_patches(pickle, seconds)
        except UserError as error:
            yield Problem("log-mel pickle unreadable", clip.id, pickle, _reason(error, pickle))
    if wav.is_file():
        yield from _check_wav(clip, wav, seconds, layout.exact)
    elif pickle and pickle.is_file():
        yield Problem("wav missing", clip.id, wav, "the log-mel pickle is there and will be read", note=True)
    else:
        yield Problem("wav missing", clip.id, wav, "nor is there a log-mel pickle")


def _check_wav(clip: ClipRow, path: Path, seconds: float, exact: bool) -> Iterator[Problem]:
    try:
        sound = Recording.read(path, seconds)
    except UserError as error:
        yield Problem("wav unreadable", clip.id, path, _reason(error, path))
        return
    channels = sound.samples.shape[1]
    if exact and sound.rate != RATE:
        yield Problem("wav rate", clip.id, path, f"{sound.rate:,} Hz, expected {RATE:,}; training resamples it")
    if exact and channels != 1 and not sound.cancels:
        yield Problem("wav channels", clip.id, path, f"{channels}, expected 1; training averages them")
    if not sound.samples.any():
        yield Problem("wav silent", clip.id, path, "every sample is 0", note=not exact)
    elif sound.cancels:
        yield Problem("wav cancels", clip.id, path, "the channels' average, which training hears, is next to silence")
    if not math.isclose(sound.seconds, seconds, abs_tol=LENGTH_TOLERANCE[exact]):
        mended = "is cut" if sound.seconds > seconds else "repeats the log-mel patch of its last whole second"
        detail = f"{sound.seconds:.2f} s, expected {seconds:.0f}; in training it {mended}"
        if not exact:
            detail += "; there is to be a frame a second (`ffmpeg -i VIDEO -vf fps=1 frames/frame_%d.jpg`)"
        yield Problem("wav length", clip.id, path, detail)


def _reason(error: Exception, path: Path) -> str:
    """The message less the path, which has a column of its own."""
    return str(error).replace(str(path), "").strip(" :")
