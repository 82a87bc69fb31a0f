"""What each task of a cell's Slurm job does."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

from submitit.helpers import Checkpointable

from avs_lightning.studies.execution.processes import run_command
from avs_lightning.studies.execution.slurm_states import queue_states

START = "avs: start"
"""Begins the line in a task's log before each start: a requeued job goes on in the same file."""


class CellTask(Checkpointable):
    """Runs a cell's command in the task's own process, where Lightning finds Slurm's ranks and starts no others.

    It can be run again at any time, since the command goes on from the last whole epoch; `Checkpointable` says so to
    submitit, which then requeues the job when Slurm sends SIGUSR2, some time before the time limit.

    Args:
        folder: of the run.
        command: "train" or "eval".
    """

    def __init__(self, folder: Path, command: str) -> None:
        self.folder = folder
        self.command = command

    def __call__(self) -> None:
        terminated: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, frame: terminated.append(number))  # Lightning adds its own: stop
        number = int(os.environ.get("SLURM_RESTART_COUNT", "0")) + 1
        print(f"{START} {number} of Slurm job {os.environ['SLURM_JOB_ID']}", file=sys.stderr, flush=True)
        code = run_module(run_command(self.folder, self.command)[2:])
        if code and terminated:
            requeue_unless_ending()
        if code:
            sys.exit(code)


def run_module(command: list[str]) -> int:
    """Run `python -m <command>` within this process; returns its exit code."""
    sys.argv = ["avs", *command[1:]]
    try:
        runpy.run_module(command[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def requeue_unless_ending() -> None:
    """After SIGTERM: requeue a job that Slurm is about to preempt, and wait until Slurm ends it.

    Slurm sends SIGTERM when somebody cancels a job, and also some time before it takes a job's nodes for another. In
    the second case, a job that ends by itself counts as failed and is not started again.
    """
    job, first = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_PROCID", "0") == "0"
    while (queue_states([job]) or {}).get(job) == "RUNNING":
        if first and subprocess.run(["scontrol", "requeue", job], check=False).returncode:
            return
        time.sleep(1)
