"""Looks at every file that a data set's CSV promises."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from avs_lightning.data.layouts import LAYOUTS, ClipRow, Layout
from avs_lightning.data.problems import Problem
from avs_lightning.errors import UserError, choose
from avs_lightning.machine import available_cores


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
        root: the folder that holds `Single-source/` or `Multi-sources/` or both, one of these itself, or the folder of
            `clips.csv`.
        setting: "s4", "ms3", "folder", or None for those that are there.
        image_size: the height and width that frames and masks should have, where the layout has one size for all.
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
        ThreadPoolExecutor(workers or available_cores()) as pool,
    ):
        for layout in _layouts(root, setting):
            clips = layout.rows()
            task = bar.add_task("", total=len(clips), setting=layout.name)
            from avs_lightning.data.clip_files import clip_problems  # torch, once there is something to look at

            found: list[Problem] = []
            for of_clip in pool.map(lambda clip, layout=layout: list(clip_problems(layout, clip, image_size)), clips):
                found += of_clip
                bar.advance(task)
            problems += [*_whole_set(layout, clips, found), *found, *_unlisted(layout, clips)]
    return problems


def _layouts(root: str | Path, setting: str | None) -> list[Layout]:
    root = Path(root).expanduser()
    if setting is not None:
        choose(setting, [layout.name for layout in LAYOUTS], "setting")
        return [layout(root) for layout in LAYOUTS if layout.name == setting]
    if found := [layout(root) for layout in LAYOUTS if layout.is_in(root)]:
        return found
    files = ", ".join(str(layout.csv_files(root)[-1].relative_to(root)) for layout in LAYOUTS)
    raise UserError(
        f"no data set in {root}: looked for {files}; name the folder that holds one of them, or write a synthetic set "
        "with `avs data make`"
    )


def _whole_set(layout: Layout, clips: Sequence[ClipRow], problems: Sequence[Problem]) -> Iterator[Problem]:
    """Where every frame has one and the same other size, the size that was expected is what is wrong."""
    sizes = [problem for problem in problems if problem.kind == "frame size"]
    found = {problem.detail.partition(" ")[0] for problem in sizes}
    if len(found) == 1 and len(sizes) == layout.frames * len(clips):
        width, _, height = found.pop().partition("x")
        meant = f"data.image_size={width} (--size {width})?" if width == height else "training needs square ones"
        yield Problem("image size", "", layout.data, f"all frames are {width} x {height}: {meant}")


def _unlisted(layout: Layout, clips: Sequence[ClipRow]) -> Iterator[Problem]:
    listed = {layout.clip_folder(clip) for clip in clips}
    for folder in sorted(set(layout.clip_folders()) - listed):
        yield Problem("clip not in the CSV", folder.name, folder, f"{layout.csv_name} does not name it", note=True)
