"""Cells as processes: their share of the machine, their signals, their reasons. The cells here are small scripts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.errors import UserError
from avs_lightning.studies.execution import processes
from avs_lightning.studies.execution.processes import LocalJob, LocalJobs, reason_in, run_command

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
os.rename("pids", "ready")
"""
"""A run that starts another process, as Lightning does for the second device."""
DRIVER = """
import signal, sys, time
from pathlib import Path
from avs_lightning.studies.execution import processes
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script's shell does for what it puts in the background
processes.run_command = lambda folder, command: [sys.executable, "-c", sys.argv[1]]
job = processes.LocalJobs().start(Path("."), "train", (1, 1))
time.sleep(60)
"""
ON_CTRL_C = """
try:
    time.sleep(60)
except KeyboardInterrupt:
    child.kill()  # Lightning's answer to Ctrl-C
    open("left", "w").write("a checkpoint")
    sys.exit(1)
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], LocalJob]:
    """`start(script)` starts a script as a cell would be started."""
    monkeypatch.chdir(tmp_path)

    def start(script: str) -> LocalJob:
        monkeypatch.setattr(processes, "run_command", lambda folder, command: [sys.executable, "-c", script])
        job: LocalJob = LocalJobs().start(tmp_path, "train", (1, 1))
        return job

    return start


def ended(job: LocalJob, seconds: float = 20) -> int:
    deadline = time.monotonic() + seconds
    while (code := job.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return code


def family(folder: Path) -> list[int]:
    """Wait for both processes of `FAMILY` and return their ids."""
    deadline = time.monotonic() + 20
    while not (folder / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(pid) for pid in (folder / "ready").read_text().split()]


def assert_gone(pids: list[int], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"still there: {alive}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_end_of_a_run_ends_what_it_has_left_behind(start: Callable, tmp_path: Path) -> None:
    job = start(FAMILY + "sys.exit(3)")
    assert ended(job) == 3
    assert_gone(family(tmp_path))


def test_a_killed_run_is_named_by_its_signal(start: Callable, tmp_path: Path) -> None:
    job = start(FAMILY + "print('epoch 3', flush=True); time.sleep(60)")
    pids = family(tmp_path)
    time.sleep(0.2)
    os.kill(pids[0], signal.SIGKILL)
    assert ended(job) == -signal.SIGKILL
    assert job.why() == f"killed by signal SIGKILL, often for want of memory: epoch 3 ({tmp_path / 'output.log'})"
    assert_gone(pids)


def test_stopping_lets_the_run_leave_its_checkpoint(start: Callable, tmp_path: Path) -> None:
    job = start(FAMILY + ON_CTRL_C)
    pids = family(tmp_path)
    job.stop()
    assert job.poll() == 1
    assert (tmp_path / "left").exists()
    assert_gone(pids)


def test_what_does_not_stop_is_ended(start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    job = start(deaf + FAMILY + "time.sleep(60)")
    pids = family(tmp_path)
    job.stop()
    assert job.poll() == -signal.SIGTERM
    assert_gone(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="a child's death by its parent's is Linux's")
def test_a_killed_driver_takes_its_cells_along(tmp_path: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, FAMILY + ON_CTRL_C], cwd=tmp_path)
    pids = family(tmp_path)
    driver.kill()
    driver.wait()
    assert_gone(pids)
    assert (tmp_path / "left").exists()


def test_a_cell_takes_itself_for_no_part_of_another_run(
    start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "LOCAL_RANK",
        "RANK",
        "WORLD_SIZE",
        "MASTER_PORT",
        "SLURM_PROCID",
        "TORCHELASTIC_RUN_ID",
        "WANDB_RUN_ID",
    ):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert ended(start("import json, os; json.dump(dict(os.environ), open('environment', 'w'))")) == 0
    seen = json.loads((tmp_path / "environment").read_text())
    assert not [name for name in seen if name.startswith(("SLURM_", "TORCHELASTIC_"))]
    assert not {"LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_PORT", "WANDB_RUN_ID"} & set(seen)
    assert seen["WANDB_MODE"] == "offline"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "visible_gpus", lambda: ["0", "1", "2", "GPU-4f"])


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "visible_gpus", list)
    monkeypatch.setattr(processes, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_gpus_are_divided(gpus: None) -> None:
    jobs = LocalJobs.parallel(None, 2, ["gpu", "auto"])
    assert jobs.slots == 2
    shares = [jobs.environment(slot, 2) for slot in range(2)]
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["0,1", "2,GPU-4f"]
    assert LocalJobs.parallel(3, 1, ["auto"]).slots == 3


def test_cores_are_divided(cores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = LocalJobs.parallel(2, 2, ["auto"])
    assert jobs.environment(0, 1)["OMP_NUM_THREADS"] == "4"
    assert jobs.environment(1, 2)["OMP_NUM_THREADS"] == "2"
    assert "CUDA_VISIBLE_DEVICES" not in jobs.environment(0, 1) or "CUDA_VISIBLE_DEVICES" in os.environ
    assert "OMP_NUM_THREADS" not in LocalJobs().environment(0, 1)
    assert LocalJobs.parallel(None, 2, ["cpu"]).slots == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert jobs.environment(0, 1)["OMP_NUM_THREADS"] == "7"


def test_on_the_cpu_gpus_are_not_counted(gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "available_cores", lambda: 3)
    assert LocalJobs.parallel(None, 1, ["cpu", "cpu"]).slots == 3


def test_a_slot_is_free_again_after_its_cell(start: Callable, tmp_path: Path) -> None:
    start("pass")
    jobs = LocalJobs(jobs=1)
    for _ in range(2):
        assert ended(jobs.start(tmp_path, "train", (1, 1))) == 0
    lost = tmp_path / "nowhere"
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            jobs.start(lost, "train", (1, 1))


@pytest.mark.parametrize(
    ("jobs", "devices", "message"),
    [
        (0, 1, "launcher.jobs=0: give a whole number, 1 or more, or null"),
        ("many", 1, "launcher.jobs=many: give a whole number"),
        (True, 1, "launcher.jobs=True: give a whole number"),
        (99, 1, "launcher.jobs=99: 99 cells at a time .* do not fit on 4 GPUs; at most launcher.jobs=4"),
        (3, 2, "launcher.jobs=3: .* trainer.devices=2 do not fit on 4 GPUs; at most launcher.jobs=2"),
        (None, 5, "a cell takes trainer.devices=5, and this machine has 4 GPUs"),
    ],
)
def test_what_does_not_fit_is_refused(gpus: None, jobs: object, devices: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        LocalJobs.parallel(jobs, devices, ["gpu"])  # type: ignore[arg-type]


def test_more_processes_than_cores_are_refused(cores: None) -> None:
    with pytest.raises(UserError, match=r"a cell takes trainer\.devices=9, and this machine has 8 cores"):
        LocalJobs.parallel(None, 9, ["cpu"])


def test_two_processes_may_share_a_core(cores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "available_cores", lambda: 1)
    assert LocalJobs.parallel(None, 2, ["cpu"]).slots == 1


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("avs: error: no data\n", 1, "no data"),
        ("x\navs: error (process 1): two\nlines\nTraceback (most recent call last):\nOSError: y", 1, "two lines"),
        ("avs: error: first\navs: error: second", 1, "first"),
        ("Traceback:\n  File x\nValueError: a\n[rank1]: RuntimeError: b", 1, "exit code 1: ValueError: a"),
        ("epoch 1\nepoch 2", 1, "exit code 1: epoch 2"),
        ("", 7, "exit code 7"),
        ("", -signal.SIGTERM, "killed by signal SIGTERM"),
    ],
)  # fmt: skip
def test_the_reason_of_an_end(text: str, code: int, reason: str) -> None:
    assert reason_in(text, code) == reason


def test_a_cell_is_started_in_run_mode(tmp_path: Path) -> None:
    assert run_command(tmp_path, "train")[1:] == ["-m", "avs_lightning.cli", "train", f"resume={tmp_path}"]
    command = run_command(tmp_path, "eval")
    assert command[3:] == ["eval", "--run-folder", str(tmp_path)]


def test_what_a_loaders_process_met_is_the_reason() -> None:
    text = """[rank0]: RuntimeError: Caught RuntimeError in DataLoader worker process 0.
[rank0]: Original Traceback (most recent call last):
[rank0]:   File "x.py", line 1, in y
[rank0]: OSError: the disk is gone
"""
    assert reason_in(text, 1) == "exit code 1: [rank0]: OSError: the disk is gone"
