"""What a person sees while a study runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from avs_lightning.data.sound_names import OWN
from avs_lightning.metrics.names import score_label, score_text
from avs_lightning.reporting.console import console, spoken
from avs_lightning.reporting.verdict import SCORE
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.execution.scheduler import Watcher

REFRESH_SECONDS = 1.0
ENOUGH = 0.02
"""Cells, or the part of one, that have to be done before the time left can be told from them."""


@contextmanager
def watcher_for(cells: Sequence[Cell]) -> Iterator[Watcher]:
    """A line for each cell that starts or ends; on a terminal also bars, and the time left for all."""
    if not console.is_terminal:
        yield Lines(cells)
        return
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=14),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True, min_width=19)),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield Bars(cells, progress)


class Lines(Watcher):
    """Prints a line when a cell starts and when it ends."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.total = len(cells)
        self.settled = 0
        self._started: dict[str, float] = {}

    def started(self, cell: Cell, state: State) -> None:
        self._started[cell.signature] = time.monotonic()
        _say(f"{'goes on' if state == State.RESUMED else 'starts'}: {cell.label}")

    def held(self, cell: Cell) -> None:
        self._started[cell.signature] = time.monotonic()
        _say(f"waits for {cell.label}, which another command is running ({cell.folder})")

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        self.settled += 1
        begun = self._started.get(cell.signature)
        if begun is None and state == State.DONE:
            return  # it was done before
        took = f" in {spoken(time.monotonic() - begun)}" if begun is not None else ""
        _say(f"{state}{took} ({self.settled}/{self.total}): {cell.label}{f': {why}' if why else _score(cell, state)}")

    def stopping(self, running: Sequence[Cell]) -> None:
        _say(f"stopping {', '.join(cell.label for cell in running)} (each leaves a checkpoint first)")


class Bars(Lines):
    """The same lines above bars: one for the study, one for each running cell."""

    def __init__(self, cells: Sequence[Cell], progress: Progress) -> None:
        super().__init__(cells)
        self.progress = progress
        self.study = progress.add_task("all cells", total=len(cells), left="")
        self._tasks: dict[str, TaskID] = {}
        self._begun = time.monotonic()
        self._before = 0.0  # cells, and parts of cells, that were done when this command began
        self._looked = 0.0

    def started(self, cell: Cell, state: State) -> None:
        super().started(cell, state)
        if state == State.RESUMED:
            self._before += _fraction(cell)
        self._tasks[cell.signature] = self.progress.add_task(f"  {cell.label}", total=100, left="starting")

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        super().ended(cell, state, why)
        task = self._tasks.pop(cell.signature, None)
        if task is None:
            self._before += 1.0
        else:
            self.progress.remove_task(task)
        self.progress.update(self.study, completed=self.settled)

    def waiting(self, running: Sequence[Cell]) -> None:
        now = time.monotonic()
        if now - self._looked < REFRESH_SECONDS:
            return
        self._looked = now
        fractions = 0.0
        for cell in running:
            fractions += (fraction := _fraction(cell))
            phase = str(Run(cell.folder).progress or "starting")
            self.progress.update(self._tasks[cell.signature], completed=round(100 * fraction), left=phase)
        left = seconds_left(self.total, self.settled + fractions, self._before, now - self._begun)
        told = "" if left is None else f"about {spoken(left)} left"
        if not running:
            told = "another command has the rest"
        self.progress.update(self.study, left=told)


def seconds_left(total: float, done: float, before: float, elapsed: float) -> float | None:
    """Estimate the rest of a study from what this command has done of it.

    Args:
        total: cells.
        done: cells, and parts of running ones, that are done.
        before: those of them that were done before.
        elapsed: seconds since the command began; several cells at a time are in the pace already.

    Returns:
        Seconds; None where too little has been done to tell.
    """
    here = done - before
    return (total - done) * elapsed / here if here > ENOUGH else None


def _fraction(cell: Cell) -> float:
    progress = Run(cell.folder).progress
    return progress.fraction if progress else 0.0


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _score(cell: Cell, state: State) -> str:
    miou = Run(cell.folder).results.scores.get(OWN, {}).get(SCORE)
    return f", {score_label(SCORE)} {score_text(SCORE, miou)}" if state == State.DONE and miou is not None else ""
