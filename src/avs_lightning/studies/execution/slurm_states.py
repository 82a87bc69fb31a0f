"""How jobs are, as Slurm's controller says."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Iterable

import submitit

log = logging.getLogger(__name__)
ENDED = frozenset(
    ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
)
"""A requeued job is in none of these: Slurm shows it as pending again."""
FORGOTTEN = "FORGOTTEN"
"""Neither the queue nor the accounting knows the job."""
REFRESH_SECONDS = 5.0


class JobStates:
    """The states of a driver's jobs, for all of them with one call every few seconds.

    Submitit asks the accounting alone (`sacct`). Where there is none it never learns that a job was killed, and a
    requeued job shows there for a while as ended. So the queue is asked first; it keeps a job for minutes after its
    end.
    """

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._asked = float("-inf")
        self._silent = False

    def register(self, job: str) -> None:
        """Follow a job from now on."""
        self._states[job] = "PENDING"

    def of(self, job: str) -> str:
        """Return a job's state in Slurm's words, at most a few seconds old."""
        if self._states[job] not in ENDED and time.monotonic() - self._asked > REFRESH_SECONDS:
            self._refresh()
        return self._states[job]

    def _refresh(self) -> None:
        followed = [job for job, state in self._states.items() if state not in (*ENDED, FORGOTTEN)]
        queue = queue_states(followed)
        self._asked = time.monotonic()
        if queue is not None:
            self._states |= {job: queue.get(job) or accounted_state(job) for job in followed}
        elif not self._silent:
            log.warning("Slurm's controller does not answer (squeue); waiting for it, jobs that run go on")
        self._silent = queue is None


def queue_states(jobs: Iterable[str]) -> dict[str, str] | None:
    """Ask the queue for the states of jobs; those it has forgotten are left out.

    Returns:
        None where the controller does not answer.
    """
    options = ["--noheader", "--states=all", "--format=%i %T", f"--jobs={','.join(jobs)}"]
    asked = subprocess.run(["squeue", *options], capture_output=True, text=True, check=False)
    if asked.returncode and "Invalid job id" not in asked.stderr:
        return None
    rows = (line.split() for line in asked.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def accounted_state(job: str) -> str:
    """Ask the accounting for the state of a job that has left the queue."""
    state = submitit.SlurmJob.watcher.get_state(job, mode="force").split()[0]  # "CANCELLED by 1000"
    return FORGOTTEN if state == "UNKNOWN" else state
