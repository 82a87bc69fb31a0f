"""Run the cells of a study: what is not done, parents first, as many at a time as the launcher takes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avs_lightning.data.probes import chosen_probes
from avs_lightning.errors import UserError
from avs_lightning.studies.cells import Cell
from avs_lightning.studies.executors import Executor, Job
from avs_lightning.studies.plan import (
    State,
    code_of,
    is_damaged,
    note_failure,
    present_code,
    read_metrics,
    state_of,
    write_config,
)
from avs_lightning.training.run_folder import RunFolder

POLL_SECONDS = 0.2
OTHER_CODE = ("refuse", "keep", "retrain")


@dataclass
class Outcome:
    """How the cells of a study have ended.

    Attributes:
        done: signatures of those whose results are there.
        failed: why, by signature.
        blocked: the parent's name, by signature.
    """

    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)


class Watcher:
    """Told what happens; a subclass shows it."""

    def started(self, cell: Cell, state: State) -> None:
        """A cell was handed to the launcher."""

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        """A cell is done, has failed or is blocked."""

    def waiting(self, running: Sequence[Cell]) -> None:
        """Some time has passed."""


def states_of(cells: Sequence[Cell], finished: Callable[[Cell], bool]) -> dict[str, State]:
    """Return each cell's state by its signature; a cell without all the scores that are asked for is not done."""
    states = {}
    for cell in cells:
        state = state_of(cell.folder)
        if state == State.DONE and not finished(cell):
            state = State.RESUMED
        states[cell.signature] = state
    return states


def settle_other_code(cells: Sequence[Cell], choice: str) -> list[Cell]:
    """Find the cells that another version of the code has trained, and do with them as chosen.

    Args:
        cells: of the study.
        choice: "refuse", "keep", or "retrain", which moves their folders aside.

    Returns:
        The foreign cells.

    Raises:
        UserError: there are some and the choice is "refuse", or the choice is unknown.
    """
    if choice not in OTHER_CODE:
        raise UserError(f"launcher.other_code={choice} is unknown; it is one of {', '.join(OTHER_CODE)}")
    foreign = {cell: code for cell in cells if (code := code_of(cell.folder)) not in (None, present_code())}
    if foreign and choice == "refuse":
        lines = [f"  {cell.name}: code {code}, in {cell.folder}" for cell, code in foreign.items()]
        shown = lines[:8] + ([f"  and {len(lines) - 8} more"] if len(lines) > 8 else [])
        raise UserError(
            f"{len(foreign)} of {len(cells)} cells were trained by another version of the code than this one "
            f"({present_code()}):\n" + "\n".join(shown) + "\nTheir results are not mixed silently with new ones: "
            "launcher.other_code=keep takes them as they are (the table names both versions), "
            "launcher.other_code=retrain trains them anew and keeps the old folders beside"
        )
    if choice == "retrain":
        for cell, code in foreign.items():
            _set_aside(cell.folder, str(code))
    return list(foreign)


def run_cells(cells: Sequence[Cell], executor: Executor, finished: Callable[[Cell], bool], watcher: Watcher) -> Outcome:
    """Run every cell that is not done; a cell whose parent has failed is blocked, the others go on.

    Args:
        cells: parents before their children.
        executor: where they run.
        finished: says whether a cell's metrics.json has all that is asked for.
        watcher: told what happens.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the running cells have been stopped.
    """
    outcome, waiting = Outcome(), list(cells)
    running: dict[str, tuple[Cell, Job]] = {}
    with _sigterm_as_interrupt():
        try:
            while waiting or running:
                _collect(running, finished, outcome, watcher)
                for cell in list(waiting):
                    if _settled(cell, finished, outcome, watcher):
                        waiting.remove(cell)
                    elif len(running) < executor.slots and _is_ready(cell, outcome):
                        waiting.remove(cell)
                        running[cell.signature] = cell, _start(cell, executor, watcher)
                watcher.waiting([cell for cell, _ in running.values()])
                time.sleep(POLL_SECONDS)
        finally:
            for _, job in running.values():
                job.stop()
    return outcome


def all_scores(cell: Cell) -> bool:
    """Say whether a cell's metrics.json has a score for each sound that its configuration asks for."""
    metrics: dict[str, Any] = read_metrics(cell.folder) or {}
    if cell.command == "train" and not cell.config.get("test", True):
        return bool(metrics)
    asked = chosen_probes(cell.config.get("probes"), cell.config.get("probe_sounds"))
    return {"true", *asked} <= set(metrics.get("scores", {}))


def _collect(
    running: dict[str, tuple[Cell, Job]], finished: Callable[[Cell], bool], outcome: Outcome, watcher: Watcher
) -> None:
    for signature, (cell, job) in list(running.items()):
        code = job.poll()
        if code is None:
            continue
        del running[signature]
        if code == 0 and finished(cell):
            outcome.done.add(signature)
            watcher.ended(cell, State.DONE)
            continue
        why = job.why() if code else f"it ended without all of its results in {cell.folder / 'metrics.json'}"
        note_failure(cell.folder, why)
        outcome.failed[signature] = why
        watcher.ended(cell, State.FAILED, why)


def _settled(cell: Cell, finished: Callable[[Cell], bool], outcome: Outcome, watcher: Watcher) -> bool:
    """Whether nothing is to be started: it is done, or cannot be begun."""
    parent = cell.parent.signature if cell.parent else None
    if parent in outcome.failed or parent in outcome.blocked:
        assert cell.parent
        outcome.blocked[cell.signature] = cell.parent.name
        watcher.ended(cell, State.BLOCKED, f"{cell.parent.name}, from which it starts, has failed")
        return True
    if read_metrics(cell.folder) is not None and finished(cell) and not RunFolder(cell.folder).is_locked():
        outcome.done.add(cell.signature)
        watcher.ended(cell, State.DONE)
        return True
    return False


def _is_ready(cell: Cell, outcome: Outcome) -> bool:
    """Whether its parent is done, and no other study is training it just now."""
    return (cell.parent is None or cell.parent.signature in outcome.done) and not RunFolder(cell.folder).is_locked()


def _start(cell: Cell, executor: Executor, watcher: Watcher) -> Job:
    state = state_of(cell.folder)
    (cell.folder / "failed.json").unlink(missing_ok=True)
    if is_damaged(cell.folder):
        (cell.folder / "metrics.json").unlink()  # cut in the middle: tested again from the checkpoint
    write_config(cell)
    job = executor.start(cell.folder, cell.command, cell.processes)
    watcher.started(cell, state)
    return job


def _set_aside(folder: Path, code: str) -> None:
    for number in range(1, 1000):
        target = folder.with_name(f"{folder.name}.code-{code}" + (f"-{number}" if number > 1 else ""))
        if not target.exists():
            folder.rename(target)
            return


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
