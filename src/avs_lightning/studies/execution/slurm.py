"""Cells as jobs of a Slurm cluster: `launcher=slurm`."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import submitit
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf, SlurmQueueConf
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from submitit.core.utils import FailedJobError

from avs_lightning.errors import UserError, near_matches
from avs_lightning.run import Run
from avs_lightning.studies.execution.processes import FOREIGN, FOREIGN_PREFIXES, PATIENCE, reason_in
from avs_lightning.studies.execution.slurm_states import ENDED, FORGOTTEN, JobStates
from avs_lightning.studies.execution.slurm_task import START, CellTask

OURS = ("name", "other_code")
ELSEWHERE = {
    "tasks_per_node": "it is trainer.devices: one task a device",
    "nodes": "it is trainer.num_nodes",
    "submitit_folder": "submitit's files are beside the study's",
}
GPU_SETTINGS = ("gpus_per_node", "gpus_per_task", "gres")
NOISE = ("srun:", "slurmstepd:", "submitit ")


class SlurmJobs:
    """Submits each cell as a Slurm job of its own, through submitit, with one task a device.

    The settings are those of hydra-submitit-launcher. Its `launch()` is not used: it waits for the jobs in their order
    and raises at the first that failed, so that the others' results, and the cells that start from them, are lost.

    Args:
        options: `cfg.launcher` as plain values.
        logs: the folder for submitit's files, which every node can write.

    Raises:
        UserError: this machine has no Slurm, or a setting is unknown or of the wrong kind.
    """

    def __init__(self, options: Mapping[str, Any], logs: Path) -> None:
        missing = [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]
        if missing:
            raise UserError(
                f"launcher=slurm: {', '.join(missing)} cannot be found (PATH): run this where sbatch works, in "
                "a Slurm cluster; launcher=local and launcher=parallel run the cells on this machine"
            )
        self.options = checked_options(options)
        self.slots: int = self.options.pop("array_parallelism")
        self.logs = logs
        self._states = JobStates()

    def start(self, folder: Path, command: str, processes: tuple[int, int]) -> SlurmJob:
        """Submit a cell.

        Raises:
            UserError: Slurm refuses it.
        """
        options = {**self.options, **resources(folder, self.options, processes), "name": job_name(folder)}
        executor = submitit.AutoExecutor(
            self.logs / "%j", cluster="slurm", slurm_max_num_timeout=options.pop("max_num_timeout")
        )
        common = set(OmegaConf.structured(BaseQueueConf))
        executor.update_parameters(**{k if k in common else f"slurm_{k}": v for k, v in options.items()})
        try:
            with outside_other_runs():
                job = executor.submit(CellTask(folder, command))
        except FailedJobError as error:
            said = [line for line in str(error).splitlines() if line.strip()]
            raise UserError(
                f"Slurm refuses the job of {folder.name}: {said[-1] if said else 'sbatch failed'}; see launcher.* "
                "(partition, account, timeout_min, cpus_per_task, mem_gb, gpus_per_node ...) and trainer.devices"
            ) from error
        return SlurmJob(job, self._states)


class SlurmJob:
    """A cell's job."""

    def __init__(self, job: submitit.Job[None], states: JobStates) -> None:
        self._job = job
        self._states = states
        self.state = "PENDING"
        states.register(job.job_id)

    @property
    def number(self) -> str:
        """Slurm's number of the job."""
        return str(self._job.job_id)

    def poll(self) -> int | None:
        """Return 0 when every task has ended well, None while the job is queued, runs or is requeued, else 1."""
        self.state = self._states.of(self.number)
        if self.state == "COMPLETED":
            return 0
        return 1 if self.state in (*ENDED, FORGOTTEN) else None

    def stop(self) -> None:
        """Cancel the job, and wait a while for its end: the next job of this folder shall find it free."""
        self._job.cancel(check=False)
        deadline = time.monotonic() + PATIENCE
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.5)

    def why(self) -> str:
        """Return Slurm's word for the end, the run's own message or last line, and the log's path."""
        paths = [self._job.task(i).paths for i in range(self._job.num_tasks)]
        files = [path.stderr if path.stderr.exists() else path.stdout for path in paths]
        logs = {file: last_start(file.read_text(errors="replace")) for file in files if file.exists()}
        telling = [file for file, text in logs.items() if "avs: error" in text] or [f for f, t in logs.items() if t]
        said = f"{self.state} (Slurm job {self.number})"
        if not telling:
            return f"{said}; it has written nothing into {paths[0].folder}"
        return f"{said}: {reason_in(logs[telling[0]], None).removeprefix('exit code None: ')} ({telling[0]})"


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Check `cfg.launcher` against the settings of hydra-submitit-launcher, and fill in what is not given.

    Raises:
        UserError: an unknown setting, or a value of the wrong kind.
    """
    schema = OmegaConf.structured(SlurmQueueConf)
    allowed = sorted(set(schema) - {"_target_", *OURS, *ELSEWHERE})
    given = {key: value for key, value in options.items() if key not in OURS}
    for key in given:
        if key not in allowed:
            said = f"; {ELSEWHERE[key]}" if key in ELSEWHERE else near_matches(key, allowed)
            raise UserError(f"launcher=slurm has no setting launcher.{key}{said}; there are {', '.join(allowed)}")
    try:
        merged = OmegaConf.merge(schema, given)
    except OmegaConfBaseException as error:
        raise UserError(f"launcher.{error.full_key}: {str(error).splitlines()[0]}") from error
    if merged.array_parallelism < 1:
        raise UserError(f"launcher.array_parallelism={merged.array_parallelism}: give 1 or more")
    return {
        key: OmegaConf.to_object(merged[key]) if OmegaConf.is_config(merged[key]) else merged[key] for key in allowed
    }


def resources(folder: Path, options: Mapping[str, Any], processes: tuple[int, int]) -> dict[str, Any]:
    """Return what a cell's job asks for: one task a device, its GPUs and its cores.

    Args:
        folder: the cell's, whose configuration says on what it trains and how many processes load its data.
        options: the settings that are given; what they say wins.
        processes: devices on each node, and nodes.
    """
    config = Run(folder).config
    cores = options["cpus_per_task"]
    if cores is None and options["cpus_per_gpu"] is None:
        cores = 1 + (config["data"].get("workers") or 0)
    wanted: dict[str, Any] = {"tasks_per_node": processes[0], "nodes": processes[1], "cpus_per_task": cores}
    on_gpu = config["trainer"].get("accelerator") in ("gpu", "cuda")
    if on_gpu and not any(options[key] for key in GPU_SETTINGS):
        wanted["gpus_per_node"] = processes[0]
    wanted["srun_args"] = ["--kill-on-bad-exit=1"]  # else the other tasks wait for one that has failed
    if cores is not None:
        wanted["srun_args"].append(f"--cpus-per-task={cores}")  # since Slurm 22.05 srun does not take it from sbatch
    wanted["dependency"] = (
        "singleton"  # a job left by a driver that was killed ends first, then this one finds its result
    )
    wanted["additional_parameters"] = {"requeue": True, **options["additional_parameters"]}
    return wanted


def job_name(folder: Path) -> str:
    """Name the jobs of a run folder: each folder's its own name, always the same."""
    return f"{folder.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:6]}"


def last_start(log: str) -> str:
    """Return what a task has written since it was last started, less Slurm's own lines where there are others."""
    lines = log.rpartition(START)[2].splitlines()[1 if START in log else 0 :]
    return "\n".join([line for line in lines if not line.startswith(NOISE)] or lines)


@contextmanager
def outside_other_runs() -> Iterator[None]:
    """Hide what makes this process a part of another run or job: a job inherits the environment of its submission."""
    prefixes = FOREIGN_PREFIXES if "SLURM_JOB_ID" in os.environ else ("TORCHELASTIC_", "ROLE_")
    names = [name for name in os.environ if name in FOREIGN or name.startswith(prefixes)]
    hidden = {name: os.environ.pop(name) for name in names if name != "SLURM_CONF"}
    try:
        yield
    finally:
        os.environ.update(hidden)
