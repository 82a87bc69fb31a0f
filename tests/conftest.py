"""For every test that needs them: tiny data sets in the official layout, two processes, the reference's outputs."""

import csv
import hashlib
import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@pytest.fixture(scope="session", autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test finds the keys, settings and caches of who runs it: W&B, for one, stays offline."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_") or name == "NETRC"]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


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


@pytest.fixture(scope="session")
def own_folder() -> Callable[..., Path]:
    """`own_folder(root, train=4, val=2, test=2, lengths=(3, 2), classes=2)` writes a folder each and `clips.csv`."""
    return write_folder


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


@pytest.fixture(scope="session")
def after_import() -> Callable[[str, str], str]:
    """`after_import(name, code)` is a sitecustomize.py that runs `code` on a `module`, right after it was imported."""

    def hook(name: str, code: str) -> str:
        return f"""
import importlib.abc, importlib.util, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != {name!r}:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            exec({code!r}, {{"module": module}})
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Finder())
"""

    return hook


@pytest.fixture
def published_vggish(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the published VGGish, which has been fetched: here of a small network, with random weights."""
    from avs_lightning.methods.avs import SmallAudioEncoder, audio_encoders

    folder = tmp_path_factory.mktemp("torch")
    file = folder / "hub" / "checkpoints" / Path(audio_encoders.VGGISH_URL).name
    file.parent.mkdir(parents=True)
    torch.save(SmallAudioEncoder().state_dict(), file)
    monkeypatch.setenv("TORCH_HOME", str(folder))
    monkeypatch.setitem(audio_encoders.AUDIO_ENCODERS, "vggish", SmallAudioEncoder)
    monkeypatch.setattr(audio_encoders, "VGGISH_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    return file


# Small, and nothing of what users leave on switched off: bar, pictures, clips, false sounds, W&B, loader processes.
TINY = [
    "data.image_size=32",
    "data.workers=1",
    "data.batch_size=2",
    "data.eval_batch_size=2",
    "encoder=test_resnet",
    "encoder.weights=none",
    "audio_encoder=small",
    "decoder.channels=16",
    "optimizer.lr=0.01",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
]


@dataclass
class Ended:
    """What a command has left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def tiny(tiny_ms3: Path) -> list[str]:
    """The overrides of the smallest training there is: on five MS3 clips of 32 x 32 pixels, a second or two."""
    return ["data=ms3", f"data.root={tiny_ms3}", *TINY]


@pytest.fixture(scope="session")
def tiny_ms3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with 5 training, 3 val and 3 test clips."""
    return write_ms3(tmp_path_factory.mktemp("ms3"), train=5, val=3, test=3)


@pytest.fixture(scope="session")
def tiny_run(tiny_ms3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of `tiny`; read only."""
    from avs_lightning.cli import main

    folder = tmp_path_factory.mktemp("run") / "tiny"
    with _as_process():
        assert main(["train", "data=ms3", f"data.root={tiny_ms3}", *TINY, f"paths.output_dir={folder}"]) == 0
    return folder


@pytest.fixture
def avs(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """`avs("train", ...)` runs the command in this process."""
    from avs_lightning.cli import main

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        with _as_process():
            code = main(list(argv))
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def avs_process(tmp_path: Path) -> Callable[..., Ended]:
    """`avs_process("train", ..., before="code")` runs the command in a process of its own, after `before`."""

    def run(*argv: str, before: str = "") -> Ended:
        code = f"""import sys\nfrom avs_lightning.cli import main, quiet_libraries
quiet_libraries()\n{before}\nsys.exit(main(sys.argv[1:]))"""
        start = [sys.executable, "-c", code] if before else [sys.executable, "-m", "avs_lightning.cli"]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run([*start, *argv], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def scores_in() -> Callable[[Path], dict[str, dict[str, float]]]:
    """`scores_in(run_folder)` reads the test scores of a run."""

    def read(folder: Path) -> dict[str, dict[str, float]]:
        scores: dict[str, dict[str, float]] = json.loads((folder / "metrics.json").read_text())["scores"]
        return scores

    return read


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home without W&B's key, as W&B finds it when it is first asked; gives where its .netrc would be."""
    import wandb

    for name in [name for name in os.environ if name.startswith("WANDB_") or name == "NETRC"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    wandb.teardown()
    yield tmp_path / ".netrc"
    wandb.teardown()


@contextmanager
def _as_process() -> Iterator[None]:
    """Undo what a command changes for its process."""
    handlers, environment = list(logging.getLogger().handlers), dict(os.environ)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        for handler in set(logging.getLogger().handlers) - set(handlers):
            logging.getLogger().removeHandler(handler)
            handler.close()
        logging.captureWarnings(False)
        os.environ.clear()
        os.environ.update(environment)


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


def write_folder(
    root: Path, train: int = 4, val: int = 2, test: int = 2, lengths: tuple[int, ...] = (3, 2), classes: int = 2
) -> Path:
    """Clips of one's own: of several lengths, not square, some frames without a mask; sounds of another rate."""
    rows = []
    for split, count in (("train", train), ("val", val), ("test", test)):
        for index in range(count):
            name, folder = f"{split} {index}", root / f"{split} {index}"
            frames = lengths[index % len(lengths)]
            rows.append((name, split, ("dog", "door bell")[index % 2]))
            draw = np.random.default_rng(len(rows))
            for second in range(frames):
                picture = Image.fromarray(draw.integers(0, 256, (30, 40, 3), dtype=np.uint8))
                (folder / "frames").mkdir(parents=True, exist_ok=True)
                picture.save(folder / "frames" / f"frame_{9 + second}.jpg")  # 9, 10, 11: sorted as people count
                if second != 1:
                    labels = np.zeros((30, 40), dtype=np.uint8)
                    labels[: 5 * (second + 1), 4:24] = 1 + (index + second) % (classes - 1)
                    (folder / "masks").mkdir(exist_ok=True)
                    Image.fromarray(labels).save(folder / "masks" / f"frame_{9 + second}.png")
            samples = draw.uniform(-0.5, 0.5, (frames * 22_050, 2))
            soundfile.write(folder / ("audio.wav" if index % 2 else "sound.flac"), samples, 22_050, subtype="PCM_16")
    write_csv(root / "clips.csv", ("clip", "split", "category"), rows)
    if classes > 2:
        (root / "classes.txt").write_text("\n".join(["background", "dog", "door bell", "violin"][:classes]) + "\n")
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
