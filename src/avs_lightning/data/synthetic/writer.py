"""Write a synthetic AVSBench in the official on-disk layouts."""

import logging
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from rich.progress import track

from avs_lightning.data.layouts import ClipRow
from avs_lightning.data.layouts.avsbench import AVSBenchLayout
from avs_lightning.data.synthetic.encoding import encode_frame, encode_mask, encode_video, encode_wav
from avs_lightning.data.synthetic.rendering import render_frames, render_masks, render_sound
from avs_lightning.data.synthetic.request import LAYOUTS, Request
from avs_lightning.data.synthetic.scenes import FPS, FRAME_TIMES, Scene, Setting, plan_scene
from avs_lightning.data.synthetic.sounds import SECONDS
from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.machine import available_cores

logger = logging.getLogger(__name__)

LOCK = "synthetic.lock"
"""`Request.is_complete_in` takes a folder with nothing but `synthetic.*` for an empty one."""
_VIDEO_TIMES = tuple(index / FPS for index in range(SECONDS * FPS))


def write_dataset(
    root: str | Path,
    setting: Setting,
    clips: Mapping[str, int],
    *,
    size: int = 224,
    seed: int = 0,
    categories: Sequence[str] | int | None = None,
    switching: bool = True,
    workers: int = 0,
    videos: bool = True,
    progress: bool = True,
) -> Path:
    """Write a synthetic S4 or MS3; does nothing where the same one is already complete.

    Each clip is made from (seed, setting, split, its number, the categories) alone, so the files do not depend on
    `workers`, and a killed run goes on where it stopped. Of several processes that want the same set one writes it and
    the others wait. Log-mel pickles are not written.

    Args:
        root: the folder that will hold `Single-source/` or `Multi-sources/`.
        setting: "s4" or "ms3".
        clips: number of clips in each of "train", "val", "test".
        size: width and height of frames and masks, in pixels.
        seed: of everything.
        categories: names, how many, or None for all 23; see `choose_categories`.
        switching: False holds MS3's sounding objects for the whole clip.
        workers: processes; 0 for one a core.
        videos: write `raw_videos/` too.
        progress: show a progress bar.

    Returns:
        The folder with the CSV: `root/Single-source` or `root/Multi-sources`.

    Raises:
        UserError: bad arguments, a folder that holds something else, or one that cannot be written.
    """
    request = Request.checked(
        setting, clips, size=size, seed=seed, categories=categories, switching=switching, videos=videos
    )
    if workers < 0:
        raise UserError(f"workers={workers}: give 0 (one process a core) or more")
    folder = Path(root).expanduser() / LAYOUTS[setting].folder
    try:
        if request.is_complete_in(folder):
            logger.info("%s already holds this data set", folder)
        else:
            with _alone_in(folder):
                if not request.is_complete_in(folder):  # by the process that was waited for
                    _write_all(request, folder, workers, progress)
    except OSError as error:
        raise UserError(f"cannot write the data set into {folder}: {error}") from error
    return folder


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder; where another process does, say so and wait for it to end, in whatever way."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Another process is writing {folder}: waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write_all(request: Request, folder: Path, workers: int, progress: bool) -> None:
    request.record_in(folder, complete=False)
    layout = LAYOUTS[request.setting](folder.parent)
    jobs = [(split, number) for split, count in request.clips.items() for number in range(count)]
    write_clip = partial(_write_clip, layout, request)
    label = f"Writing synthetic {request.setting.upper()}"
    with _pool(min(workers or available_cores(), (len(jobs) + 7) // 8)) as pool:
        # The processes start here, before the progress bar starts its thread.
        rows = pool.map(write_clip, jobs, chunksize=4) if pool else map(write_clip, jobs)
        table = [",".join(layout.columns), *track(rows, label, total=len(jobs), disable=not progress), ""]
    write_whole(layout.csv, "\n".join(table))
    request.record_in(folder, complete=True)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes that leave Ctrl-C to this one and drop what is queued when it comes; None where one is enough."""
    if workers <= 1:
        yield None
        return
    # Forked processes need not import torch again (the package does); elsewhere than on Linux forking is not safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UserError(
            "a writing process was killed (out of memory?): run again to go on, with fewer workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _write_clip(layout: AVSBenchLayout, request: Request, job: tuple[str, int]) -> str:
    """Write a clip's files, the wav last, which therefore marks the clip as whole; return its row of the CSV."""
    split, number = job
    scene = plan_scene(request.setting, split, number, request.categories, request.seed, request.switching)
    row = ClipRow(scene.id, scene.category, split)
    if not layout.wav(row).exists():
        _write_files(layout, request, scene, row)
    values = {"name": scene.id, "video_id": scene.id, "start": scene.start, "category": scene.category, "split": split}
    return ",".join(str(values[column]) for column in layout.columns)


def _write_files(layout: AVSBenchLayout, request: Request, scene: Scene, row: ClipRow) -> None:
    sound = render_sound(scene)
    if request.videos:
        frames, visible = render_frames(scene, request.size, _VIDEO_TIMES)
        write_whole(layout.video(row), encode_video(frames, sound), durable=False)
        shown = [_VIDEO_TIMES.index(time) for time in FRAME_TIMES]
        frames, visible = frames[shown], visible[:, shown]
    else:
        frames, visible = render_frames(scene, request.size)
    masks = render_masks(scene, visible)
    for second, labelled in enumerate(layout.labelled(row)):
        write_whole(layout.frame(row, second), encode_frame(frames[second]), durable=False)
        if labelled:
            mask = encode_mask(masks[second], palette=request.setting == "ms3")
            write_whole(layout.mask(row, second), mask, durable=False)
    write_whole(layout.wav(row), encode_wav(sound), durable=False)
