"""A study of four cells on a real Slurm of one node, through the command (`make test-slurm`)."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]
EPOCHS = 12
AXES = {
    "fusion": {"none": "fusion=none", "stage4": "fusion=stage4"},
    "loss": {"bce": "method.loss.avm_weight=0", "avm": "method.loss.avm_weight=0.5"},
}


@pytest.fixture
def command(slurm: dict[str, str], tiny: list[str], tmp_path: Path) -> list[str]:
    study = {
        "title": "Four",
        "base": [*tiny, "probes=null", f"trainer.max_epochs={EPOCHS}"],
        "axes": AXES,
        "table": {"rows": ["fusion"], "columns": ["loss"], "score": "miou", "protocol": "frame"},
    }
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "study.yaml").write_text(yaml.safe_dump(study))
    given = ["launcher=slurm", "launcher.mem_gb=2", f"paths.runs_dir={tmp_path}/runs"]
    return [sys.executable, "-m", "avs_lightning.cli", "study", "run", str(tmp_path / "four" / "study.yaml"), *given]


@pytest.fixture
def start(command: list[str], tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen]]:
    """`start()` starts the command; what it has left behind when a test fails is ended."""
    started: list[subprocess.Popen] = []

    def run() -> subprocess.Popen:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=tmp_path, text=True, **pipes))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()
    subprocess.run(["scancel", "--user=root"], check=True)


def test_four_cells_one_of_them_cancelled_end_when_the_command_is_given_again(
    command: list[str], start: Callable[[], subprocess.Popen], tmp_path: Path, wait_for: Callable
) -> None:
    cells = tmp_path / "runs" / "cells"
    first = start()
    cancelled = wait_for(lambda: next(iter(cells.glob("*/checkpoints/best.ckpt")), None), first).parents[1]
    subprocess.run(["scancel", f"--name={job_of(cancelled)}"], check=True)
    said = first.communicate(timeout=500)
    assert first.returncode == 1, said
    assert "1 of 4 cells" in said[1]
    assert "CANCELLED (Slurm job " in said[1]
    assert len(list(cells.glob("*/metrics.json"))) == 3
    assert not (cancelled / "metrics.json").exists()

    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads((cancelled / "metrics.json").read_text())["epochs"] == EPOCHS
    assert "Restored all states from the checkpoint" in (cancelled / "run.log").read_text()
    assert len(list(cells.glob("*/metrics.json"))) == len(list(cells.iterdir())) == 4
    (folder,) = (tmp_path / "runs" / "studies").iterdir()
    assert (folder / "table.md").exists()
    assert (folder / "report.html").exists()


def test_ctrl_c_cancels_the_jobs(start: Callable[[], subprocess.Popen], tmp_path: Path, wait_for: Callable) -> None:
    driver = start()
    wait_for(lambda: "RUNNING" in queue(), driver)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(120) != 0
    wait_for(lambda: not queue())
    assert not list((tmp_path / "runs" / "cells").glob("*/metrics.json"))


def job_of(folder: Path) -> str:
    names = subprocess.run(["squeue", "--noheader", "--format=%j"], capture_output=True, text=True, check=True).stdout
    (name,) = [name for name in names.split() if name.startswith(folder.name)]
    return name


def queue() -> str:
    """The states of all jobs."""
    return subprocess.run(["squeue", "--noheader", "--format=%T"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def wait_for() -> Callable:
    """`wait_for(found, process)` calls until something is found, and returns it; the process has to be running."""

    def wait(found: Callable, process: subprocess.Popen | None = None) -> object:
        deadline = time.monotonic() + 300
        while not (result := found()):
            assert time.monotonic() < deadline
            assert process is None or process.poll() is None, process.communicate()
            time.sleep(0.2)
        return result

    return wait
