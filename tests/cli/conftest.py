"""For the tests of sweeps: real commands, as few and as small trainings as possible."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SMALLEST = [
    "data=ms3",
    "data.image_size=32",
    "data.workers=1",
    "data.batch_size=2",
    "data.eval_batch_size=2",
    "encoder=test_resnet",
    "encoder.weights=none",
    "audio_encoder=small",
    "decoder.channels=8",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
]


@dataclass(frozen=True)
class Swept:
    """A sweep that has run: its command, the folder of all runs, what it has said."""

    command: Sequence[str]
    runs: Path
    code: int
    out: str
    err: str

    def cell(self, label: str) -> Path:
        """The one folder of a cell whose name has `label` in it."""
        (folder,) = (self.runs / "cells").glob(f"*_{label}-*")
        return folder


@pytest.fixture(scope="session")
def smallest(tiny_ms3: Path) -> list[str]:
    """Overrides of a run of one epoch on five clips."""
    return [*SMALLEST, f"data.root={tiny_ms3}"]


@pytest.fixture(scope="session")
def begin() -> Callable[..., subprocess.Popen[str]]:
    """`begin("train", ..., cwd=FOLDER, env={})` starts a command in a process of its own."""

    def start(*argv: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "avs_lightning.cli", *argv]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in a script's background
        )

    return start


@pytest.fixture(scope="session")
def swept(begin: Callable, smallest: list[str], tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """A sweep of two cells, fusion none and stage4, that has run; read only, see `copied`."""
    folder = tmp_path_factory.mktemp("swept")
    command = ["train", "-m", *smallest, "fusion=none,stage4"]
    process = begin(*command, "paths.runs_dir=runs", cwd=folder)
    out, err = process.communicate()
    return Swept(command, folder / "runs", process.returncode, out, err)


@pytest.fixture
def copied(swept: Swept, tmp_path: Path) -> Swept:
    """A copy of `swept` to write into: a cell is the same wherever its folder lies."""
    shutil.copytree(swept.runs, tmp_path / "runs")
    return Swept([*swept.command, f"paths.runs_dir={tmp_path}/runs"], tmp_path / "runs", swept.code, "", "")
