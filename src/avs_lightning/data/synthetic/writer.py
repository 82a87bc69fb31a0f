"""Write a synthetic AVSBench in the official on-disk layouts."""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import os
import sys
import wave
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from avs_lightning.data.synthetic.categories import choose_categories
from avs_lightning.data.synthetic.rendering import render_frames, render_masks, render_sound
from avs_lightning.data.synthetic.scenes import FPS, FRAME_TIMES, Scene, Setting, plan_scene
from avs_lightning.data.synthetic.sounds import RATE, SECONDS
from avs_lightning.data.synthetic.video import encode_video
from avs_lightning.errors import UserError, near_matches

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
FORMAT = 1
"""Raised whenever the same request gives other files, so that old folders are not taken for new ones."""

_FOLDERS = {"s4": ("Single-source", "s4"), "ms3": ("Multi-sources", "ms3")}


@dataclass(frozen=True)
class Request:
    """What a data set is made from; stored beside its CSV."""

    setting: Setting
    clips: dict[str, int]
    size: int
    seed: int
    categories: tuple[str, ...]
    videos: bool
    switching: bool
    format: int = FORMAT


def write_dataset(
    root: Path,
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
    `workers`, and a killed run goes on where it stopped. Log-mel pickles are not written.

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
        UserError: bad arguments, a folder that holds another data set, or one that cannot be written.
    """
    request = _checked(setting, clips, size, seed, categories, switching, videos)
    if workers < 0:
        raise UserError(f"workers={workers}: give 0 (one process a core) or more")
    folder = Path(root) / _FOLDERS[setting][0]
    try:
        if _is_complete(folder, request):
            logger.info("%s already holds this data set", folder)
            return folder
        jobs = [(split, number) for split, count in request.clips.items() for number in range(count)]
        done = _mapped(partial(_write_clip, folder, request), jobs, workers)
        label = f"synthetic {setting.upper()}"
        rows = list(track(done, label, total=len(jobs), disable=not progress))
        header = "name,start,category,split" if setting == "s4" else "video_id,split"
        _write(folder / f"{_FOLDERS[setting][1]}_meta_data.csv", "\n".join([header, *rows, ""]).encode())
        _write_request(folder, request, complete=True)
    except OSError as error:
        raise UserError(f"cannot write the data set into {folder}: {error}") from error
    return folder


def _checked(
    setting: str,
    clips: Mapping[str, int],
    size: int,
    seed: int,
    categories: Sequence[str] | int | None,
    switching: bool,
    videos: bool,
) -> Request:
    if setting not in _FOLDERS:
        raise UserError(f"setting {setting!r} does not exist: choose s4 or ms3")
    for split, count in clips.items():
        if split not in SPLITS:
            raise UserError(
                f"split {split!r} does not exist: choose from {', '.join(SPLITS)}{near_matches(split, SPLITS)}"
            )
        if count < 0:
            raise UserError(f"{count} clips in split {split}: give 0 or more")
    if not any(clips.values()):
        raise UserError("no clips asked for: give a number of clips for train, val or test")
    if size < 32:
        raise UserError(f"size={size}: objects are not recognisable below 32 pixels; AVSBench has 224")
    if seed < 0:
        raise UserError(f"seed={seed}: give 0 or more")
    return Request(
        setting=setting,  # type: ignore[arg-type]
        clips={split: int(clips[split]) for split in SPLITS if clips.get(split)},
        size=size,
        seed=seed,
        categories=choose_categories(categories),
        videos=videos,
        switching=switching,
    )


def _is_complete(folder: Path, request: Request) -> bool:
    """Whether the folder holds all of the request; starts it where it is empty, refuses where it holds another."""
    record = folder / "synthetic.json"
    if record.is_file():
        try:
            stored = json.loads(record.read_text())
            complete = bool(stored.pop("complete"))
        except (ValueError, KeyError, AttributeError) as error:
            raise UserError(f"{record} is damaged ({error}): delete {folder} to write the data set anew") from error
        wanted = json.loads(json.dumps(asdict(request)))
        different = [f"{k} {stored.get(k)!r} instead of {v!r}" for k, v in wanted.items() if stored.get(k) != v]
        if different:
            raise UserError(
                f"{folder} holds another synthetic data set ({'; '.join(different)}): choose another root, or delete it"
            )
        return complete
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty and holds no synthetic data set: choose another root")
    _write_request(folder, request, complete=False)
    return False


def _write_request(folder: Path, request: Request, complete: bool) -> None:
    _write(folder / "synthetic.json", json.dumps({**asdict(request), "complete": complete}, indent=1).encode())


def _mapped(function: partial[str], jobs: Sequence[tuple[str, int]], workers: int) -> Iterator[str]:
    """Map in order, over processes where there are several."""
    workers = min(workers or len(os.sched_getaffinity(0)), (len(jobs) + 7) // 8)
    if workers <= 1:
        yield from map(function, jobs)
        return
    # Forked workers need not import the package again; elsewhere than on Linux, forking is not safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            yield from pool.map(function, jobs, chunksize=max(1, min(8, len(jobs) // (4 * workers))))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write_clip(folder: Path, request: Request, job: tuple[str, int]) -> str:
    """Write a clip's files, the wav last, which therefore marks the clip as whole; return its row of the CSV."""
    split, number = job
    scene = plan_scene(request.setting, split, number, request.categories, request.seed, request.switching)
    files = _Files(folder / f"{request.setting}_data", request.setting, scene)
    if not files.wav.exists():
        times = np.arange(SECONDS * FPS) / FPS if request.videos else FRAME_TIMES
        frames, visible = render_frames(scene, request.size, times)
        shown = [round(t * FPS) for t in FRAME_TIMES] if request.videos else range(SECONDS)
        masks = render_masks(scene, visible[:, list(shown)])
        sound = render_sound(scene)
        for second, index in enumerate(shown):
            _write(files.frame(second), _png(Image.fromarray(frames[index])))
            if second == 0 or request.setting == "ms3" or split != "train":
                _write(files.mask(second), _png(_mask_image(masks[second], request.setting)))
        if request.videos:
            _write(files.video, encode_video(frames, FPS, sound, RATE))
        _write(files.wav, _wav(sound))
    if request.setting == "s4":
        return f"{scene.id},{scene.start},{scene.category},{split}"
    return f"{scene.id},{split}"


class _Files:
    """Where a clip's files lie in the official layout."""

    def __init__(self, data: Path, setting: Setting, scene: Scene) -> None:
        self.id = scene.id
        if setting == "s4":
            group = Path(scene.split) / scene.category
            self.frames, self.stem = data / "visual_frames" / group / scene.id, scene.id
            self.masks = data / "gt_masks" / group / scene.id
            self.wav = data / "audio_wav" / group / f"{scene.id}.wav"
            self.video = data / "raw_videos" / group / f"{scene.id}.mp4"
        else:
            self.frames, self.stem = data / "visual_frames" / scene.id, f"{scene.id}.mp4"
            self.masks = data / "gt_masks" / scene.split / scene.id
            self.wav = data / "audio_wav" / scene.split / f"{scene.id}.wav"
            self.video = data / "raw_videos" / f"{scene.id}.mp4"

    def frame(self, second: int) -> Path:
        return self.frames / f"{self.stem}_{second + 1}.png"

    def mask(self, second: int) -> Path:
        return self.masks / f"{self.id}_{second + 1}.png"


def _mask_image(mask: NDArray[np.bool_], setting: Setting) -> Image.Image:
    if setting == "s4":
        return Image.fromarray(mask)
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 128, 0, 0])
    return image


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def _wav(sound: NDArray[np.int16]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write beside, then rename: a file that is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
