"""What `launcher=slurm` asks of Slurm; see tests/slurm/ for a real one."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf
from omegaconf import OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.studies.execution import slurm, slurm_states, slurm_task
from avs_lightning.studies.execution.slurm import (
    SlurmJob,
    SlurmJobs,
    checked_options,
    job_name,
    last_start,
    outside_other_runs,
    resources,
)

CONF = Path(__file__).parents[3] / "conf" / "launcher" / "slurm.yaml"


def given(**changed: Any) -> dict[str, Any]:
    return {**OmegaConf.to_container(OmegaConf.load(CONF)), **changed}


def cell(folder: Path, **trainer: Any) -> Path:
    OmegaConf.save({"trainer": trainer, "data": {"workers": 3}}, folder / "config.yaml")
    return folder


def test_without_slurm_it_says_what_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"sbatch, srun, squeue, scancel cannot be found.*launcher=local and launcher=parallel"
    ):
        SlurmJobs(given(), tmp_path)


def test_the_file_has_every_setting_of_the_plugin() -> None:
    named = set(OmegaConf.load(CONF)) - set(slurm.OURS)
    assert named == set(OmegaConf.structured(SlurmQueueConf)) - {"_target_", "name", *slurm.ELSEWHERE}


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"partitoin": "gpu"}, r"no setting launcher.partitoin; did you mean partition"),
        ({"nodes": 2}, r"no setting launcher.nodes; it is trainer.num_nodes"),
        ({"timeout_min": "long"}, r"launcher.timeout_min: Value 'long'"),
        ({"array_parallelism": 0}, r"launcher.array_parallelism=0: give 1 or more"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked_options(given(**wrong))


def test_a_task_a_device_and_a_gpu_a_task(tmp_path: Path) -> None:
    asked = resources(cell(tmp_path, accelerator="gpu"), checked_options(given()), (4, 2))
    assert (asked["tasks_per_node"], asked["nodes"], asked["gpus_per_node"], asked["cpus_per_task"]) == (4, 2, 4, 4)
    assert "--cpus-per-task=4" in asked["srun_args"]


@pytest.mark.parametrize(
    "accelerator, options", [("cpu", {}), ("gpu", {"gres": "gpu:a100:4"}), ("gpu", {"gpus_per_task": 1})]
)
def test_no_gpus_on_top_of_what_is_asked_for(tmp_path: Path, accelerator: str, options: dict[str, Any]) -> None:
    asked = resources(cell(tmp_path, accelerator=accelerator), checked_options(given(**options)), (4, 1))
    assert "gpus_per_node" not in asked


def test_what_the_user_adds_wins(tmp_path: Path) -> None:
    options = checked_options(given(cpus_per_task=7, additional_parameters={"requeue": False, "mail-type": "END"}))
    asked = resources(cell(tmp_path, accelerator="cpu"), options, (1, 1))
    assert asked["cpus_per_task"] == 7
    assert asked["additional_parameters"] == {"requeue": False, "mail-type": "END"}


def test_jobs_are_named_by_their_folder() -> None:
    here, there = Path("/a/cells/one-1f"), Path("/b/cells/one-1f")
    assert job_name(here) == job_name(here) != job_name(there)
    assert job_name(here).startswith("one-1f-")


def test_the_log_of_the_last_start_without_slurms_own_lines() -> None:
    start = slurm_task.START
    assert last_start(f"{start} 1 of job 7\navs: error: old\n{start} 2 of job 7\nnew\nsrun: error: it\n") == "new"
    killed = "slurmstepd: error: Detected 1 oom-kill event"
    assert last_start(f"{start} 1 of job 7\n{killed}") == killed


def test_a_job_submitted_from_within_a_job_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_CONF": "/etc/slurm.conf", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with outside_other_runs():
        assert os.environ["SLURM_CONF"] == "/etc/slurm.conf"
        assert not {"SLURM_JOB_ID", "SLURM_NTASKS", "RANK"} & set(os.environ)
    assert os.environ["SLURM_NTASKS"] == "4"
    assert os.environ["SLURM_CONF"] == "/etc/slurm.conf"


@pytest.mark.parametrize(
    "queue, accounting, code",
    [
        ("RUNNING", "FAILED", None),  # requeued: the accounting still tells of the earlier end
        ("COMPLETING", "CANCELLED", None),
        ("COMPLETED", "UNKNOWN", 0),
        ("TIMEOUT", "UNKNOWN", 1),
        ("", "COMPLETED", 0),
        ("", "OUT_OF_MEMORY", 1),
        ("", "UNKNOWN", 1),
        (None, "FAILED", None),  # the controller does not answer
    ],
)
def test_the_queue_is_asked_before_the_accounting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, queue: str | None, accounting: str, code: int | None
) -> None:
    told = None if queue is None else {"7": queue} if queue else {}
    monkeypatch.setattr(slurm_states, "queue_states", lambda jobs: told)
    watcher = SimpleNamespace(get_state=lambda job, mode: accounting)
    monkeypatch.setattr(slurm_states.submitit.SlurmJob, "watcher", watcher)
    job = SlurmJob(SimpleNamespace(job_id="7"), slurm_states.JobStates())  # type: ignore[arg-type]
    assert job.poll() == code


def test_a_silent_controller_is_told_of_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([None, None, {"7": "RUNNING"}, None])
    monkeypatch.setattr(slurm_states, "queue_states", lambda jobs: next(answers))
    monkeypatch.setattr(slurm_states, "REFRESH_SECONDS", -1.0)
    states = slurm_states.JobStates()
    states.register("7")
    assert [states.of("7") for _ in range(4)] == ["PENDING", "PENDING", "RUNNING", "RUNNING"]
    assert [record.message.count("does not answer") for record in caplog.records] == [1, 1]
