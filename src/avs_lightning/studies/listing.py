"""The runs, sweeps and studies in a folder, newest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.text import Text

from avs_lightning.data.sound_names import OWN
from avs_lightning.errors import UserError
from avs_lightning.metrics.names import score_label, score_text
from avs_lightning.reporting.console import spoken
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.plan import Plan
from avs_lightning.studies.reports import is_study, sources_in

CUT_OFF = "cut off"
SCORES = ("miou_frame", "fscore_frame")


@dataclass(frozen=True)
class Listed:
    """A line of the list.

    Attributes:
        kind: "run", "sweep" or "study".
        name: of the run, or of the folder of a sweep or study.
        folder: of its files.
        started: local time, "2026-11-25 08:15"; "" where nothing says when.
        state: "done", "running", "failed", "cut off", "new"; of several cells how many are what.
        epochs: trained of all, "2/15"; "" for several cells.
        miou: of the test with the own sound, protocol `frame`, per cent; "" where there is none.
        fscore: of the same.
        seconds: of training and test; None where nothing says.
        note: why it failed.
    """

    kind: str
    name: str
    folder: Path
    started: str
    state: str
    epochs: str = ""
    miou: str = ""
    fscore: str = ""
    seconds: float | None = None
    note: str = ""

    def lines(self) -> Iterator[Text]:
        """What the terminal shows: what it is, and its folder on a line by itself, so that it can be copied."""
        seconds = "" if self.seconds is None else spoken(self.seconds)
        scores = [f"{score_label(name)} {value}" for name, value in zip(SCORES, (self.miou, self.fscore)) if value]
        epochs = f"{self.epochs} epochs" if self.epochs else ""
        parts = [self.state, epochs, *scores, seconds]
        head = Text.assemble(f"{self.started or 'not begun':<16}  {self.kind:<5}  ", (self.name, "bold"))
        yield head.append(f"  {', '.join(filter(None, parts))}")
        yield Text(f"  {self.folder}")
        if self.note:
            yield Text(f"  {self.note.splitlines()[0]}", style="dim")


def listed_in(folder: Path, cells: bool = False) -> list[Listed]:
    """List what is in a folder, newest first.

    Args:
        folder: of runs, `paths.runs_dir`.
        cells: list the cells of sweeps and studies by themselves too.

    Raises:
        UserError: there is nothing.
    """
    studies: list[Listed] = []
    runs: list[Path] = []
    planned: set[Path] = set()
    for source in sources_in(folder):
        if not is_study(source):
            runs.append(source)
            continue
        try:
            plan = Plan.load(source)
        except UserError:
            studies.append(Listed("study", source.name, source, "", "its plan.json is damaged"))
            continue
        studies.append(_study(source, plan))
        planned |= {cell.folder.resolve() for cell in plan.cells}
    found = studies + [_run(run) for run in runs if cells or run.resolve() not in planned]
    return sorted(found, key=lambda one: one.started, reverse=True)


def _study(folder: Path, plan: Plan) -> Listed:
    counts = Counter(map(_state, plan.states().values()))
    total = sum(counts.values())
    others = [f"{count} {state}" for state, count in counts.items() if state != "done"]
    state = ", ".join([f"{counts['done']} of {total} done", *others])
    return Listed("study" if plan.table else "sweep", plan.study, folder, _local(plan.planned), state)


def _run(folder: Path) -> Listed:
    run = Run(folder)
    config, results, progress = run.config, run.results, run.progress
    scores = results.scores.get(OWN, {})
    done = results.epochs if results.epochs is not None else max(0, progress.epoch - 1) if progress else None
    total = (config.get("trainer") or {}).get("max_epochs")
    cost, state = results.cost, run.state
    seconds = [cost[name] for name in ("train_seconds", "test_seconds") if cost.get(name) is not None]
    return Listed(
        kind="run",
        name=str(config.get("name") or folder.name),
        folder=folder,
        started=_local(str(run.environment.get("started", ""))),
        state=_state(state),
        epochs="" if done is None or results.split else f"{done}/{total}",
        miou=score_text(SCORES[0], scores[SCORES[0]]) if SCORES[0] in scores else "",
        fscore=score_text(SCORES[1], scores[SCORES[1]]) if SCORES[1] in scores else "",
        seconds=sum(seconds) if seconds else None,
        note=run.failure if state == State.FAILED else "",
    )


def _state(state: State) -> str:
    return CUT_OFF if state == State.RESUMED else str(state)


def _local(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
