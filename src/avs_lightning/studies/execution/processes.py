"""Cells as processes of this machine: `launcher=local` and `launcher=parallel`."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from avs_lightning import peers
from avs_lightning.errors import UserError
from avs_lightning.machine import available_cores, visible_gpus
from avs_lightning.parent import end_with_parent
from avs_lightning.run.names import OUTPUT

FROM_RUN_FOLDER = "--run-folder"
"""The option that composes the configuration which a run folder holds."""
FOREIGN = (
    "LOCAL_RANK", "RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE",
    "MASTER_ADDR", "MASTER_PORT", "WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", peers.VARIABLE,
)  # fmt: skip
FOREIGN_PREFIXES = ("TORCHELASTIC_", "SLURM_", "ROLE_")
"""What would make a cell take itself for a part of another run."""
PATIENCE = 20.0
"""Seconds that a stopped run has to leave its checkpoint."""
ERROR = re.compile(r"(\[rank\d+\]: )?[A-Za-z_][\w.]*(Error|Exception|Interrupt)\b")
"""The last line of a stack trace."""
TAIL = 200_000
"""Bytes of a run's output in which its reason is looked for."""


class LocalJobs:
    """Runs cells on this machine, `jobs` at a time, with the devices or cores divided among them.

    Args:
        jobs: how many at a time; 1 leaves every device to every cell.
        devices: ids of the GPUs to divide; empty: divide the cores.
    """

    def __init__(self, jobs: int = 1, devices: Sequence[str] = ()) -> None:
        self.slots = jobs
        self.devices = tuple(devices)
        self._free = list(range(jobs))

    @classmethod
    def parallel(cls, jobs: int | None, most_devices: int, accelerators: Sequence[str]) -> LocalJobs:
        """Divide this machine among cells of which the largest takes `most_devices`.

        Args:
            jobs: as many at a time; None: as many as fit.
            most_devices: of one cell.
            accelerators: `trainer.accelerator` of the cells.

        Raises:
            UserError: fewer devices than one cell takes, or than the jobs take together.
        """
        if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
            raise UserError(f"launcher.jobs={jobs}: give a whole number, 1 or more, or null for as many as fit")
        gpus = [] if all(name == "cpu" for name in accelerators) else visible_gpus()
        what, there = ("GPUs", len(gpus)) if gpus else ("cores", available_cores())
        fit = there // most_devices
        if not gpus and most_devices <= 2:
            fit = max(1, fit)  # two processes may share a core, to try them out
        if fit == 0:
            raise UserError(
                f"launcher=parallel: a cell takes trainer.devices={most_devices}, and this machine has {there} {what}"
            )
        if fit < (jobs or 1):
            raise UserError(
                f"launcher.jobs={jobs}: {jobs} cells at a time with trainer.devices={most_devices} "
                f"do not fit on {there} {what}; at most launcher.jobs={fit}"
            )
        return cls(jobs or fit, gpus)

    def start(self, folder: Path, command: str, processes: tuple[int, int]) -> LocalJob:
        """Start a cell in a process of its own, in run mode: Lightning's other processes then repeat that command."""
        slot = self._free.pop(0)
        try:
            return LocalJob(
                folder, command, self.environment(slot, processes[0]), on_end=lambda: self._free.append(slot)
            )
        except BaseException:
            self._free.append(slot)
            raise

    def environment(self, slot: int, processes: int) -> dict[str, str]:
        """Return the environment of a cell of so many processes: its share of the machine, no part in another run."""
        env = {k: v for k, v in os.environ.items() if k not in FOREIGN and not k.startswith(FOREIGN_PREFIXES)}
        env["PYTHONUNBUFFERED"] = "1"  # output.log is there to be followed
        if self.slots > 1 and self.devices:
            share = len(self.devices) // self.slots
            env["CUDA_VISIBLE_DEVICES"] = ",".join(self.devices[slot * share : (slot + 1) * share])
        elif self.slots > 1:
            env.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // (self.slots * processes))))
        return env


class LocalJob:
    """A cell's process and those that it starts, in a group of their own; its output goes to output.log.

    Args:
        folder: of the run.
        command: "train" or "eval".
        environment: of the process.
        on_end: called once, when it has ended.

    Raises:
        OSError: output.log cannot be written.
    """

    def __init__(
        self, folder: Path, command: str, environment: Mapping[str, str], on_end: Callable[[], None] = lambda: None
    ) -> None:
        self.log = folder / OUTPUT
        self._on_end: Callable[[], None] | None = on_end
        with self.log.open("ab") as log:
            self._start = log.tell()
            self._process = subprocess.Popen(
                run_command(folder, command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C is ours to pass on
                preexec_fn=_end_with_parent,
            )

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        code = self._process.poll()
        if code is not None and self._on_end:
            self._signal(signal.SIGKILL)  # a process of the run that has outlived the first one
            self._on_end()
            self._on_end = None
        return code

    def stop(self) -> None:
        """Pass Ctrl-C on and wait for the run to leave its checkpoint; after a while end it."""
        for signum, patience in ((signal.SIGINT, PATIENCE), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            self._signal(signum)
            deadline = time.monotonic() + patience
            while self.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.poll() is not None:
                return

    def why(self) -> str:
        """Return the run's own message, else its last line, and where its output is."""
        with self.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._start, end - TAIL))
            text = log.read().decode(errors="replace")
        return reason_in(text, self._process.returncode) + f" ({self.log})"

    def _signal(self, signum: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signum)


def run_command(folder: Path, command: str) -> list[str]:
    """Return the command line of a cell; on a folder that holds a run already it goes on or says that it is done."""
    start = [sys.executable, "-m", "avs_lightning.cli", command]
    if command == "train":
        return [*start, f"resume={folder}"]
    return [*start, FROM_RUN_FOLDER, str(folder)]


def reason_in(text: str, code: int | None) -> str:
    """Find in a run's output why it ended: the message for its user, else the first error, else the last line.

    Of several processes the one that fails first tells the reason; the others then fail for want of it. A loader's
    process hands its error on: what it was stands below.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marks = [i for i, line in enumerate(lines) if line.startswith("avs: error")]
    if marks:
        foreign = ("avs: error", "Traceback", "[rank", "wandb:")
        own = itertools.takewhile(lambda line: not line.startswith(foreign), lines[marks[0] + 1 :])
        return " ".join([lines[marks[0]], *own]).partition(": ")[2].partition(": ")[2]
    ended = peers.killed_by(-code) if code and code < 0 else f"exit code {code}"
    errors = (line for line in lines if ERROR.match(line) and "in DataLoader worker process" not in line)
    told = next(errors, lines[-1] if lines else "")
    return f"{ended}: {told}" if told else ended


def _end_with_parent() -> None:
    """Before the new process begins: let Ctrl-C reach it, and on Linux end it with the one that started it.

    A driver in a script's background ignores Ctrl-C, and its children would too. A driver that is killed leaves nothing
    that goes on unseen: its cells are interrupted as by Ctrl-C, on which Lightning ends the other processes of a run.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent(signal.SIGINT)
