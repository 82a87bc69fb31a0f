"""`SlurmJobs` on a real Slurm of one node (`make test-slurm`)."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.studies.execution.slurm import SlurmJob, SlurmJobs
from avs_lightning.studies.execution.slurm_states import accounted_state

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]
CONF = Path(__file__).parents[2] / "conf" / "launcher" / "slurm.yaml"
EPOCHS = 20
LONG = f"trainer.max_epochs={EPOCHS}"


@pytest.fixture
def jobs(slurm: dict[str, str], tmp_path: Path) -> Iterator[SlurmJobs]:
    yield launcher(tmp_path)
    subprocess.run(["scancel", "--user=root"], check=True)


def launcher(tmp_path: Path, **changed: object) -> SlurmJobs:
    options = {**OmegaConf.to_container(OmegaConf.load(CONF)), "mem_gb": 2, **changed}
    return SlurmJobs(options, tmp_path / "logs")


def finish(job: SlurmJob, seconds: float = 300) -> int:
    """Wait for a job's end; a requeued one needn't wait for Slurm, which would start it again after two minutes."""
    deadline = time.monotonic() + seconds
    while (code := job.poll()) is None:
        assert time.monotonic() < deadline, subprocess.run(["scontrol", "show", "job", job.number], check=False)
        if job.state == "PENDING":
            now = ["scontrol", "update", f"JobId={job.number}", "StartTime=now"]
            subprocess.run(now, capture_output=True, check=False)
        time.sleep(0.5)
    return code


def epochs(folder: Path) -> list[int]:
    """The epochs that were validated, in the order of metrics.csv."""
    if not (folder / "metrics.csv").exists():
        return []
    with (folder / "metrics.csv").open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file) if row.get("val/miou_frame")]


def wait_for_epochs(job: SlurmJob, folder: Path, count: int = 2) -> None:
    deadline = time.monotonic() + 240
    while len(epochs(folder)) < count:
        assert job.poll() is None, job.why()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_resumed_whole(folder: Path) -> None:
    """Two starts of one training, of which every epoch was recorded once."""
    assert (folder / "run.log").read_text().count("Restored all states from the checkpoint") == 1
    assert epochs(folder) == list(range(EPOCHS))
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == EPOCHS


def test_cells_run_to_the_end(jobs: SlurmJobs, cell: Callable) -> None:
    folders = [cell("first"), cell("second", "seed=1")]
    handed = [jobs.start(folder, "train", (1, 1)) for folder in folders]
    assert [finish(job) for job in handed] == [0, 0]
    assert [json.loads((f / "metrics.json").read_text())["name"] for f in folders] == ["first", "second"]
    again = jobs.start(folders[0], "train", (1, 1))
    assert finish(again) == 0
    assert epochs(folders[0]) == [0, 1]


def test_a_task_a_device(jobs: SlurmJobs, cell: Callable, tmp_path: Path) -> None:
    folder = cell("pair", "trainer.devices=2")
    job = jobs.start(folder, "train", (2, 1))
    assert finish(job) == 0, job.why()
    assert "MEMBER: 1/2" in (folder / "run.log").read_text()
    assert json.loads((folder / "metrics.json").read_text())["steps"] == 4  # five clips: three to each, in twos
    assert [path.name for path in folder.parent.iterdir()] == ["pair"]
    said = [(tmp_path / "logs" / job.number / f"{job.number}_{task}_log.out").read_text() for task in (0, 1)]
    assert [text.count("Everything is in") for text in said] == [1, 0]


def test_a_task_that_dies_ends_the_others(jobs: SlurmJobs, cell: Callable) -> None:
    job = jobs.start(cell("halved", "trainer.devices=2"), "train", (2, 1))
    os.kill(process_of(job, task=1), signal.SIGKILL)  # before it has met the other, which would wait for it
    assert finish(job, 120) == 1
    assert job.why().startswith(f"FAILED (Slurm job {job.number})")


def test_a_cancelled_cell_is_reported_and_goes_on_when_started_again(jobs: SlurmJobs, cell: Callable) -> None:
    folder = cell("cancelled", LONG)
    job = jobs.start(folder, "train", (1, 1))
    wait_for_epochs(job, folder)
    job.stop()
    assert finish(job) == 1
    assert job.why().startswith(f"CANCELLED (Slurm job {job.number}): stopped; avs train resume={folder}")
    assert accounted_state(job.number) == "CANCELLED"
    assert not (folder / "metrics.json").exists()
    assert finish(jobs.start(folder, "train", (1, 1))) == 0
    assert_resumed_whole(folder)


def test_the_runs_own_message_is_the_reason(jobs: SlurmJobs, cell: Callable, tmp_path: Path) -> None:
    job = jobs.start(cell("lost", f"data.root={tmp_path}/nothing"), "train", (1, 1))
    assert finish(job) == 1
    log = tmp_path / "logs" / job.number / f"{job.number}_0_log.err"
    assert job.why().startswith(f"FAILED (Slurm job {job.number}): ")
    assert f"{tmp_path}/nothing" in job.why()
    assert job.why().endswith(f"({log})")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("cause", ["scontrol requeue", "time limit", "preemption"])
def test_a_requeued_cell_goes_on(jobs: SlurmJobs, cell: Callable, cause: str) -> None:
    folder = cell("requeued", LONG)
    job = jobs.start(folder, "train", (1, 1))
    wait_for_epochs(job, folder)
    started = time.monotonic()
    if cause == "scontrol requeue":
        subprocess.run(["scontrol", "requeue", job.number], check=True)
    elif cause == "time limit":  # what Slurm sends signal_delay_s before it
        subprocess.run(["scancel", "--signal=USR2", job.number], check=True)
    else:
        urgent = ["sbatch", "--wait", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true"]
        subprocess.run(urgent, check=True)
        assert time.monotonic() - started < 45  # the cell hands its node over before the minute of grace is over
    assert finish(job) == 0, job.why()
    assert_resumed_whole(folder)


def test_a_time_limit_reached_too_often_is_the_end(jobs: SlurmJobs, cell: Callable, tmp_path: Path) -> None:
    folder = cell("slow", LONG)
    job = launcher(tmp_path, max_num_timeout=0, timeout_min=5).start(folder, "train", (1, 1))
    wait_for_epochs(job, folder)
    subprocess.run(["scancel", "--signal=USR2", job.number], check=True)
    assert finish(job) == 1
    assert "timed-out too many times" in job.why()


def test_a_second_job_of_a_folder_waits_for_the_first(jobs: SlurmJobs, cell: Callable) -> None:
    folder = cell("twice")
    first, second = (jobs.start(folder, "train", (1, 1)) for _ in range(2))
    time.sleep(3)
    reason = ["squeue", "--noheader", f"--jobs={second.number}", "--format=%r"]
    assert subprocess.run(reason, capture_output=True, text=True, check=True).stdout.strip() == "Dependency"
    assert [finish(first), finish(second)] == [0, 0]
    assert epochs(folder) == [0, 1]


def test_what_slurm_refuses_is_said_at_once(jobs: SlurmJobs, cell: Callable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Slurm refuses the job of refused: .*[Ii]nvalid partition"):
        launcher(tmp_path, partition="nosuch").start(cell("refused"), "train", (1, 1))


def process_of(job: SlurmJob, task: int) -> int:
    """Wait for the process of a task, and find it by its environment."""
    wanted = {f"SLURM_JOB_ID={job.number}", f"SLURM_PROCID={task}"}
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environment, command = ((path / name).read_text().split("\0") for name in ("environ", "cmdline"))
            except OSError:  # it has ended
                continue
            if wanted <= set(environment) and "submitit.core._submit" in command and "srun" not in command:
                return int(path.name)
        time.sleep(0.1)
    raise AssertionError(f"no process of task {task}")
