"""Run the cells of a study: what is not done, parents first, as many at a time as the launcher takes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from avs_lightning.data.sound_names import OWN, probe_names
from avs_lightning.files import NO_SPACE
from avs_lightning.run import Run, State
from avs_lightning.run.names import FAILURE, METRICS
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.locks import is_in_hand, lock_cell

POLL_SECONDS = 0.2


class Job(Protocol):
    """A cell that was handed over."""

    def poll(self) -> int | None:
        """Return None while it is queued or runs, 0 when it has ended well, else another number."""

    def stop(self) -> None:
        """End it, so that it can be gone on with."""

    def why(self) -> str:
        """Return in one line why it failed, and where its log is."""


class Executor(Protocol):
    """Where the cells of a study run."""

    slots: int
    """How many cells it takes at a time."""

    def start(self, folder: Path, command: str, processes: tuple[int, int]) -> Job:
        """Start `avs <command>` on a run folder that holds its configuration.

        Args:
            folder: of the run.
            command: "train" or "eval".
            processes: devices on each node, and nodes.
        """


@dataclass
class Outcome:
    """How the cells of a study have ended.

    Attributes:
        done: signatures of those whose results are there.
        failed: why, by signature.
        blocked: the parent's name, by signature.
        left: signatures of those that were not begun, because the disk is full.
    """

    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)


class Watcher:
    """Told what happens; a subclass shows it."""

    def started(self, cell: Cell, state: State) -> None:
        """A cell was handed to the launcher."""

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        """A cell is done, has failed or is blocked."""

    def held(self, cell: Cell) -> None:
        """Another command has a cell in hand; it is waited for."""

    def waiting(self, running: Sequence[Cell]) -> None:
        """Some time has passed."""

    def stopping(self, running: Sequence[Cell]) -> None:
        """These cells are about to be stopped, which may take a while."""


def states_of(cells: Sequence[Cell]) -> dict[str, State]:
    """Return each cell's state by its signature; a cell without all the scores that are asked for is not done."""
    states = {}
    for cell in cells:
        state = State.RUNNING if is_in_hand(cell.folder) else Run(cell.folder).state
        if state == State.DONE and not is_finished(cell):
            state = State.RESUMED
        states[cell.signature] = state
    return states


def run_cells(
    cells: Sequence[Cell],
    executor: Executor,
    watcher: Watcher,
    failed: Mapping[str, str] | None = None,
) -> Outcome:
    """Run every cell that is not done; a cell whose parent has failed is blocked, the others go on.

    A cell that another command has in hand is waited for, and its results are taken. When a disk is full, no more
    cells are begun.

    Args:
        cells: parents before their children.
        executor: where they run.
        watcher: told what happens.
        failed: signatures, with the reasons, of cells that this command has tried already.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the running cells have been stopped.
    """
    running = _Cells(cells, executor, watcher, failed or {})
    with _sigterm_as_interrupt():
        try:
            while running.advance():
                time.sleep(POLL_SECONDS)
        finally:
            running.stop()
    return running.outcome


def is_finished(cell: Cell) -> bool:
    """Say whether a cell's metrics.json has a score for each sound that its configuration asks for."""
    run = Run(cell.folder)
    if not run.is_done:
        return False
    if cell.command == "train" and not cell.config.get("test", True):
        return True
    asked = probe_names(cell.config.get("probes"), cell.config.get("probe_sounds"))
    return {OWN, *asked} <= set(run.results.scores)


class _Cells:
    """The cells of one `run_cells`: those that wait, those that run, and what has become of the others."""

    def __init__(
        self,
        cells: Sequence[Cell],
        executor: Executor,
        watcher: Watcher,
        failed: Mapping[str, str],
    ) -> None:
        self.executor, self.watcher = executor, watcher
        self.outcome = Outcome()
        self._running: dict[str, tuple[Cell, Job, FileLock]] = {}
        self._waiting: list[Cell] = []
        self._held: set[str] = set()
        for cell in cells:
            if cell.signature in failed:
                self.outcome.failed[cell.signature] = failed[cell.signature]
            elif is_finished(cell) and not is_in_hand(cell.folder):
                self._done(cell)
            else:
                self._waiting.append(cell)

    def advance(self) -> bool:
        """Take in what has ended, start what can start, and return whether there is anything left to wait for."""
        for cell, job, taken in list(self._running.values()):
            if (code := job.poll()) is not None:
                del self._running[cell.signature]
                self._ended(cell, job, code)
                taken.release()
        for cell in list(self._waiting):
            parent = cell.parent
            if parent and (parent.signature in self.outcome.failed or parent.signature in self.outcome.blocked):
                self._waiting.remove(cell)
                self.outcome.blocked[cell.signature] = parent.name
                self.watcher.ended(cell, State.BLOCKED, f"{parent.name}, from which it starts, has failed")
            elif len(self._running) < self.executor.slots and (not parent or parent.signature in self.outcome.done):
                self._take(cell)
        self.watcher.waiting([cell for cell, _, _ in self._running.values()])
        return bool(self._waiting or self._running)

    def stop(self) -> None:
        """Stop what runs, all at once: each has to leave a checkpoint first."""
        if not self._running:
            return
        self.watcher.stopping([cell for cell, _, _ in self._running.values()])
        with ThreadPoolExecutor(len(self._running)) as threads:  # a second Ctrl-C doesn't keep them from their work
            for _, job, _ in self._running.values():
                threads.submit(job.stop)
        for _, _, taken in self._running.values():
            taken.release()

    def _take(self, cell: Cell) -> None:
        """Start a cell, unless another command has it in hand or has finished it in the meantime."""
        taken = None
        try:
            if (taken := lock_cell(cell.folder)) is None:
                if cell.signature not in self._held:
                    self._held.add(cell.signature)
                    self.watcher.held(cell)
                return
            if not is_finished(cell):
                state, job = self._start(cell)
                self._running[cell.signature] = cell, job, taken
        except OSError as error:
            self._waiting.remove(cell)
            self._failed(cell, f"{error.filename or cell.folder} cannot be written: {error.strerror or error}")
        else:
            self._waiting.remove(cell)
            if cell.signature in self._running:
                self.watcher.started(cell, state)
            else:
                self._done(cell)
        finally:
            if taken and cell.signature not in self._running:
                taken.release()

    def _start(self, cell: Cell) -> tuple[State, Job]:
        state = Run(cell.folder).state
        (cell.folder / FAILURE).unlink(missing_ok=True)
        if Run(cell.folder).is_cut or cell.command == "eval":  # made anew, and avs eval writes into no finished folder
            (cell.folder / METRICS).unlink(missing_ok=True)
        Run(cell.folder).write_config(cell.config)
        return state, self.executor.start(cell.folder, cell.command, cell.processes)

    def _ended(self, cell: Cell, job: Job, code: int) -> None:
        if code == 0 and is_finished(cell):
            self._done(cell)
        elif code == 0:
            self._failed(cell, f"it ended without all of its results in {cell.folder / METRICS}")
        else:
            self._failed(cell, job.why())

    def _done(self, cell: Cell) -> None:
        self.outcome.done.add(cell.signature)
        self.watcher.ended(cell, State.DONE)

    def _failed(self, cell: Cell, why: str) -> None:
        full = any(os.strerror(code) in why for code in NO_SPACE)
        try:
            Run(cell.folder).fail(why)
        except OSError as error:
            full = full or error.errno in NO_SPACE
        self.outcome.failed[cell.signature] = why
        self.watcher.ended(cell, State.FAILED, why)
        if full:  # the others would fail in the same way, each after minutes
            self.outcome.left |= {waiting.signature for waiting in self._waiting}
            self._waiting.clear()


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
