"""For every test that needs them: tiny data sets in the official layout, two processes, the reference's outputs."""

import csv
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
FRAMES = 5


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the reference's outputs and metadata, beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the reference's outputs (../shared) are not on this machine")
    return SHARED


@pytest.fixture
def official_s4() -> Callable[..., Path]:
    """`official_s4(root, train=2, val=1, test=1, size=32, audio="wav")` writes S4 clips and returns `root`."""
    return write_s4


@pytest.fixture
def official_ms3() -> Callable[..., Path]:
    """`official_ms3(root, train=2, val=1, test=1, size=32, audio="wav")` writes MS3 clips and returns `root`."""
    return write_ms3


def _work(rank: int, folder: Path, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(function(rank, *args), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture
def in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Run a test module's `function(rank, *args)` in a group of two gloo processes; returns both results."""
    monkeypatch.syspath_prepend(ROOT)  # the processes import the test module by its name

    def run(function: Callable[..., Any], *args: Any) -> list[Any]:
        torch.multiprocessing.spawn(_work, (tmp_path, function, args), nprocs=2)
        return [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]

    return run


def write_s4(root: Path, train: int = 2, val: int = 1, test: int = 1, size: int = 32, audio: str = "wav") -> Path:
    base = root / "Single-source"
    data = base / "s4_data"
    rows = []
    for split, count in (("train", train), ("val", val), ("test", test)):
        for index in range(count):
            category = ("cat_meowing", "race_car", "helicopter")[index % 3]
            name = f"{split}{index:06d}_{index}"
            rows.append((name, str(index), category, split))
            below = Path(split, category, name)
            for second in range(FRAMES):
                picture = f"{name}_{second + 1}.png"
                write_frame(data / "visual_frames" / below / picture, size, seed=len(rows) * FRAMES + second)
                if split != "train" or second == 0:
                    write_mask(data / "gt_masks" / below / picture, size, second, palette=False)
            write_sound(data, below, audio, seed=len(rows))
    write_csv(base / "s4_meta_data.csv", ("name", "start", "category", "split"), rows)
    return root


def write_ms3(root: Path, train: int = 2, val: int = 1, test: int = 1, size: int = 32, audio: str = "wav") -> Path:
    base = root / "Multi-sources"
    data = base / "ms3_data"
    rows = []
    for split, count in (("train", train), ("val", val), ("test", test)):
        for index in range(count):
            name = f"{split:_<6}{index // 2:05d}_{index}"
            rows.append((name, split))
            for second in range(FRAMES):
                frame = data / "visual_frames" / name / f"{name}.mp4_{second + 1}.png"
                write_frame(frame, size, seed=len(rows) * FRAMES + second)
                write_mask(data / "gt_masks" / split / name / f"{name}_{second + 1}.png", size, second, palette=True)
            write_sound(data, Path(split, name), audio, seed=len(rows))
    write_csv(base / "ms3_meta_data.csv", ("video_id", "split"), rows)
    return root


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def write_frame(path: Path, size: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_mask(path: Path, size: int, second: int, palette: bool) -> None:
    """A square that grows by the second, as a 1-bit or as a palette image; the palette's index 1 is black, as 0 is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sounding = np.zeros((size, size), dtype=np.uint8)
    sounding[: 4 * (second + 1), 2:10] = 1
    if palette:
        picture = Image.fromarray(sounding * (second % 2 + 1), mode="P")
        picture.putpalette([0, 0, 0, 0, 0, 0, 200, 30, 30])
    else:
        picture = Image.fromarray(sounding * 255).convert("1")
    picture.save(path)


def write_sound(data: Path, below: Path, audio: str, seed: int) -> None:
    """Five seconds of noise as `audio_wav/*.wav`, or random log-mel patches as `audio_log_mel/*.pkl`, or both."""
    draw = np.random.default_rng(seed)
    if audio in ("wav", "both"):
        path = data / "audio_wav" / below.with_name(below.name + ".wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, draw.uniform(-0.5, 0.5, 80_000).astype(np.float32), 16_000, subtype="PCM_16")
    if audio in ("log_mel", "both"):
        path = data / "audio_log_mel" / below.with_name(below.name + ".pkl")
        path.parent.mkdir(parents=True, exist_ok=True)
        patches = torch.from_numpy(draw.standard_normal((FRAMES, 1, 96, 64)).astype(np.float32)).requires_grad_()
        path.write_bytes(pickle.dumps(patches))
