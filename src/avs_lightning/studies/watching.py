"""What a person sees while a study runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from avs_lightning.reporting.console import console
from avs_lightning.studies.cells import Cell
from avs_lightning.studies.plan import State
from avs_lightning.studies.run import Watcher
from avs_lightning.training.progress import read_progress

REFRESH_SECONDS = 1.0


@contextmanager
def watcher_for(cells: Sequence[Cell]) -> Iterator[Watcher]:
    """A line for each cell that starts or ends; on a terminal also bars, and the time left for all."""
    watcher = Lines(cells)
    if not console.is_terminal:
        yield watcher
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bars(cells, progress)


class Lines(Watcher):
    """Prints a line when a cell starts and when it ends."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.total = len(cells)
        self.settled = 0
        self._started: dict[str, float] = {}

    def started(self, cell: Cell, state: State) -> None:
        self._started[cell.signature] = time.monotonic()
        how = "goes on" if state == State.RESUMED else "starts"
        console.print(f"{how}: {cell.name or cell.folder.name}", highlight=False, soft_wrap=True)

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        self.settled += 1
        begun = self._started.get(cell.signature)
        if begun is None and state == State.DONE:
            return  # it was done before
        took = f" in {spoken(time.monotonic() - begun)}" if begun else ""
        reason = f": {why}" if why else ""
        name = cell.name or cell.folder.name
        console.print(f"{state}{took} ({self.settled}/{self.total}): {name}{reason}", highlight=False, soft_wrap=True)


class Bars(Lines):
    """The same lines above bars: one for the study, one for each running cell."""

    def __init__(self, cells: Sequence[Cell], progress: Progress) -> None:
        super().__init__(cells)
        self.progress = progress
        self.study = progress.add_task("all cells", total=len(cells), left="")
        self._tasks: dict[str, TaskID] = {}
        self._begun = time.monotonic()
        self._spared = 0.0
        self._looked = 0.0

    def started(self, cell: Cell, state: State) -> None:
        super().started(cell, state)
        before = (read_progress(cell.folder) or {}).get("fraction", 0.0) if state == State.RESUMED else 0.0
        self._spared += before
        name = cell.name or cell.folder.name
        self._tasks[cell.signature] = self.progress.add_task(f"  {name[:60]}", total=100, left="")

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        super().ended(cell, state, why)
        task = self._tasks.pop(cell.signature, None)
        if task is None:
            self._spared += 1.0
        else:
            self.progress.remove_task(task)
        self.progress.update(self.study, completed=self.settled)

    def waiting(self, running: Sequence[Cell]) -> None:
        if time.monotonic() - self._looked < REFRESH_SECONDS:
            return
        self._looked = time.monotonic()
        fractions = 0.0
        for cell in running:
            seen = read_progress(cell.folder) or {}
            fraction = float(seen.get("fraction", 0.0))
            fractions += fraction
            phase = f"{seen['phase']}, epoch {seen['epoch']}/{seen['epochs']}" if seen else ""
            self.progress.update(self._tasks[cell.signature], completed=round(100 * fraction), left=phase)
        done_here = self.settled + fractions - self._spared
        if done_here > 0.02:
            left = (self.total - self.settled - fractions) * (time.monotonic() - self._begun) / done_here
            self.progress.update(self.study, left=f"about {spoken(left)} left")


def spoken(seconds: float) -> str:
    """Return a duration as people say it: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
