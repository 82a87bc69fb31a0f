"""Looks at every file that a data set's CSV promises."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from avs_lightning.data.datasets import read_patches
from avs_lightning.data.layout import LAYOUTS, ClipRow, Layout
from avs_lightning.data.pictures import read_frame, read_mask
from avs_lightning.data.spectrogram import RATE
from avs_lightning.errors import UserError, near_matches

LENGTH_TOLERANCE = 0.1
MOST_COLOURS = {"s4": 2, "ms3": 16}


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file.

    Attributes:
        kind: what is wrong in a few words, the same for all problems of the kind, such as "frame missing".
        clip: the id of the clip.
        path: the file or folder.
        detail: what was found and what is expected.
        note: whether the data set can be used as if nothing was wrong.
    """

    kind: str
    clip: str
    path: Path
    detail: str
    note: bool = False


def check_dataset(
    root: str | Path,
    setting: str | None = None,
    image_size: int = 224,
    workers: int = 0,
    progress: bool = True,
) -> list[Problem]:
    """Check frames, masks and sounds of every clip in the CSV; videos are optional and not looked at.

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
            for found in pool.map(lambda clip, layout=layout: list(_check_clip(layout, clip, image_size)), clips):
                problems += found
                bar.advance(task)
            problems += _unlisted(layout, clips)
    return problems


def problems_table(problems: Sequence[Problem], most: int = 50) -> RenderableType:
    """A table of how many problems there are of each kind, and one of the first `most`, notes last."""
    if not problems:
        return Text("Nothing is wrong.")
    counts = Table("what", Column("files", f"{len(problems):,}", justify="right"), show_footer=True)
    counts.columns[0].footer = "all"
    for (kind, note), count in Counter((problem.kind, problem.note) for problem in problems).most_common():
        counts.add_row(f"{kind} (note)" if note else kind, f"{count:,}")
    first = f"the first {most}" if len(problems) > most else None
    rows = Table("what", Column("file", overflow="fold"), "detail", title=first)
    for problem in sorted(problems, key=lambda problem: problem.note)[:most]:
        rows.add_row(problem.kind, str(problem.path), problem.detail)
    return Group(counts, rows)


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
    if not path.is_file():
        yield Problem(f"{what} missing", clip.id, path, "")
        return
    try:
        with Image.open(path) as picture:
            if picture.size != (size, size):
                found = f"{picture.width}x{picture.height}"
                yield Problem(f"{what} size", clip.id, path, f"{found} pixels, expected {size}x{size}")
                return
            if what == "mask":
                read_mask(path, size)
                if (colours := _colours(picture)) > (most := MOST_COLOURS[layout.setting]):
                    yield Problem("mask values", clip.id, path, f"{colours} different values, expected at most {most}")
            else:
                read_frame(path, size, torch.empty(3, size, size))
    except (UserError, OSError) as error:
        yield Problem(f"{what} unreadable", clip.id, path, _reason(error, path))


def _colours(picture: Image.Image) -> int:
    values = np.asarray(picture)
    return len(np.unique(values.reshape(-1, values.shape[2]), axis=0) if values.ndim == 3 else np.unique(values))


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
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        yield Problem("wav unreadable", clip.id, path, _reason(error, path))
        return
    length, channels = len(samples) / rate, samples.shape[1]
    if rate != RATE:
        yield Problem("wav rate", clip.id, path, f"{rate:,} Hz, expected {RATE:,}; training resamples it")
    if channels != 1:
        yield Problem("wav channels", clip.id, path, f"{channels}, expected 1; training averages them")
    if not len(samples):
        yield Problem("wav empty", clip.id, path, "no samples")
    elif not np.isfinite(samples).all():
        yield Problem("wav NaN", clip.id, path, f"{np.count_nonzero(~np.isfinite(samples)):,} samples NaN or infinite")
    elif not samples.any():
        yield Problem("wav silent", clip.id, path, "every sample is 0")
    if len(samples) and not math.isclose(length, seconds, abs_tol=LENGTH_TOLERANCE):
        mended = "cut" if length > seconds else "filled up with silence"
        yield Problem(
            "wav length", clip.id, path, f"{length:.2f} s, expected {seconds:.0f}; in training it is {mended}"
        )


def _unlisted(layout: Layout, clips: Sequence[ClipRow]) -> Iterator[Problem]:
    listed = {layout.frame(clip, 0).parent for clip in clips}
    for folder in sorted(set(layout.frame_folders()) - listed):
        yield Problem("clip not in the CSV", folder.name, folder, f"{layout.csv_name} does not name it", note=True)


def _reason(error: Exception, path: Path) -> str:
    """The message less the path, which has a column of its own."""
    return str(error).replace(str(path), "").strip(" :")
