"""Looks at every file that a data set's CSV promises."""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from avs_lightning.data.audio import Sound
from avs_lightning.data.datasets import read_patches
from avs_lightning.data.layout import LAYOUTS, ClipRow, Layout
from avs_lightning.data.pictures import MaskPixels, read_frame
from avs_lightning.data.problems import Problem
from avs_lightning.data.spectrogram import RATE
from avs_lightning.errors import UserError, near_matches

LENGTH_TOLERANCE = 0.1
MOST_OBJECTS = {"s4": 1, "ms3": 15}


def check_dataset(
    root: str | Path,
    setting: str | None = None,
    image_size: int = 224,
    workers: int = 0,
    progress: bool = True,
) -> list[Problem]:
    """Check frames, masks and sounds of every clip in the CSV; videos are optional and not looked at.

    Files are read by the functions that training reads them by, so that what training refuses is found.

    Args:
        root: the folder that holds `Single-source/` or `Multi-sources/` or both, or one of these itself.
        setting: "s4", "ms3", or None for those that are there.
        image_size: the height and width that frames and masks should have.
        workers: threads; 0 for one a core.
        progress: show a progress bar on stderr.

    Returns:
        What is wrong, in the order of the CSV; then, as notes, the clips on disk that no CSV names.

    Raises:
        UserError: nothing is there to check, or the CSV cannot be read.
    """
    columns = (TextColumn("checking {task.fields[setting]}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    problems: list[Problem] = []
    with (
        Progress(*columns, console=Console(stderr=True), disable=not progress) as bar,
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
    ):
        for layout in _layouts(root, setting):
            clips = layout.rows()
            task = bar.add_task("", total=len(clips), setting=layout.setting)
            found: list[Problem] = []
            for of_clip in pool.map(lambda clip, layout=layout: list(_check_clip(layout, clip, image_size)), clips):
                found += of_clip
                bar.advance(task)
            problems += [*_whole_set(layout, clips, found), *found, *_unlisted(layout, clips)]
    return problems


def _layouts(root: str | Path, setting: str | None) -> list[Layout]:
    if setting is not None:
        if setting not in LAYOUTS:
            raise UserError(
                f"unknown setting {setting!r}{near_matches(setting, LAYOUTS)} (allowed: {', '.join(LAYOUTS)})"
            )
        return [LAYOUTS[setting](root)]
    if found := [layout(root) for layout in LAYOUTS.values() if layout.is_in(root)]:
        return found
    folders = ", ".join(f"{layout.folder}/{layout.csv_name}" for layout in LAYOUTS.values())
    raise UserError(
        f"no data set in {root}: looked for {folders}; name the folder that holds them, or write a synthetic set with "
        "`avs data make`"
    )


def _check_clip(layout: Layout, clip: ClipRow, size: int) -> Iterator[Problem]:
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
    most = 2 if grey else 1 + MOST_OBJECTS[layout.setting]
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
        sound = Sound.read(path, seconds)
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


def _whole_set(layout: Layout, clips: Sequence[ClipRow], problems: Sequence[Problem]) -> Iterator[Problem]:
    """Where every frame has one and the same other size, the size that was expected is what is wrong."""
    sizes = [problem for problem in problems if problem.kind == "frame size"]
    found = {problem.detail.partition(" ")[0] for problem in sizes}
    if len(found) == 1 and len(sizes) == layout.frames * len(clips):
        width, _, height = found.pop().partition("x")
        meant = f"data.image_size={width} (--size {width})?" if width == height else "training needs square ones"
        yield Problem("image size", "", layout.data, f"all frames are {width} x {height}: {meant}")


def _unlisted(layout: Layout, clips: Sequence[ClipRow]) -> Iterator[Problem]:
    listed = {layout.frame(clip, 0).parent for clip in clips}
    for folder in sorted(set(layout.frame_folders()) - listed):
        yield Problem("clip not in the CSV", folder.name, folder, f"{layout.csv_name} does not name it", note=True)


def _reason(error: Exception, path: Path) -> str:
    """The message less the path, which has a column of its own."""
    return str(error).replace(str(path), "").strip(" :")
