"""One command that runs a study: what it will do, doing it, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from avs_lightning.errors import UserError
from avs_lightning.reporting.console import console
from avs_lightning.studies.cells import Cell
from avs_lightning.studies.composing import Compose, Request, compose_cells
from avs_lightning.studies.estimate import estimate
from avs_lightning.studies.executors import Executor
from avs_lightning.studies.plan import (
    STUDIES,
    Plan,
    State,
    failure_of,
    is_damaged,
    locked_study,
    plan_of,
    read_metrics,
    with_parents,
)
from avs_lightning.studies.processes import LocalJobs
from avs_lightning.studies.run import Outcome, all_scores, run_cells, settle_other_code, states_of
from avs_lightning.studies.status import study_report, study_table, written
from avs_lightning.studies.study import Study
from avs_lightning.studies.watching import watcher_for

LAUNCHERS = ("local", "parallel", "slurm")


@dataclass(frozen=True)
class Session:
    """The cells that a command is about, and how it is to run them.

    Attributes:
        name: of the study's folder.
        cells: the study's own, in the order of the requests.
        everything: these and the cells they start from, parents first.
        requests: what the cells were composed from.
        runs: the folder of all runs.
        launcher: the settings of `launcher`.
        overrides: what was given on the command line.
        dry_run: say what would be run, and run nothing.
        study: what study.yaml says; None for a sweep.
    """

    name: str
    cells: Sequence[Cell]
    everything: Sequence[Cell]
    requests: Sequence[Request]
    runs: Path
    launcher: Mapping[str, Any]
    overrides: Sequence[str] = ()
    dry_run: bool = False
    study: Study | None = None

    @classmethod
    def compose(
        cls,
        requests: Sequence[Request],
        compose: Compose,
        command: str = "train",
        study: Study | None = None,
        overrides: Sequence[str] = (),
    ) -> Session:
        """Compose the cells of a study or a sweep.

        A sweep without `study=NAME` is named after its cells: the same command finds its own study again.

        Raises:
            UserError: a configuration that does not compose, or two cells that would compute the same.
        """
        first = compose(requests[0].overrides).config
        asked = study.folder_name if study else first.get("study")
        cells = compose_cells(requests, compose, asked or "sweep", command)
        everything = with_parents(cells)
        name = asked or f"sweep-{digest(cell.signature for cell in cells)}"
        launcher = {str(key): value for key, value in first.launcher.items()}
        if launcher["name"] not in LAUNCHERS:
            raise UserError(f"launcher.name={launcher['name']} is unknown; launcher is one of {', '.join(LAUNCHERS)}")
        runs = Path(cells[0].config["paths"]["runs_dir"]).resolve()
        return cls(name, cells, everything, requests, runs, launcher, overrides, bool(first.get("dry_run")), study)

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return self.runs / STUDIES / self.name

    def run(self) -> Outcome:
        """Run what is not done, and say first what that is.

        Raises:
            UserError: cells have failed, named with their reasons; or nothing could be begun.
            KeyboardInterrupt: Ctrl-C; what ran has been stopped.
        """
        if self.dry_run:
            console.print(self.cells_table())
            console.print(estimate(self.everything, self._slots()))
            console.print("Dry run: nothing was trained or written.")
            return Outcome()
        executor = self.executor()
        with locked_study(self.folder):
            foreign = settle_other_code(self.everything, str(self.launcher.get("other_code", "refuse")))
            self.plan().save(self.folder)
            console.print(self.cells_table(foreign))
            try:
                with watcher_for(self.everything) as watcher:
                    outcome = run_cells(self.everything, executor, all_scores, watcher)
            except KeyboardInterrupt as stop:
                raise KeyboardInterrupt(
                    f"{self.name} was stopped, its running cells too; the same command goes on from here "
                    f"(avs study status {self.name} says how far it is)"
                ) from stop
        return outcome

    def show_results(self) -> None:
        """Print the table, and write table and report into the study's folder."""
        table = study_table(self.folder)
        console.print(table.to_rich())
        for kind, suffix in (("md", "md"), ("csv", "csv")):
            written(self.folder / f"table.{suffix}", table, kind)
        report = study_report(self.folder, self.folder / "report.html")
        console.print(f"Table: {self.folder / 'table.md'}\nReport: {report}", soft_wrap=True)

    def plan(self) -> Plan:
        """Return what the study's folder is to remember."""
        study = self.study
        title, question = (study.title, study.question) if study else (f"Sweep {self.name}", "")
        synthetic = any("synthetic" in cell.config.get("data", {}) for cell in self.cells)
        table = (
            {"layout": study.table, "axes": {axis: list(values) for axis, values in study.axes.items()}}
            if study
            else None
        )
        return plan_of(self.everything, self.name, title, question, synthetic, self.overrides, table, self.cells)

    def executor(self) -> Executor:
        """Build what the cells run on.

        Raises:
            UserError: the machine does not have what the launcher needs.
        """
        if self.launcher["name"] == "slurm":
            from avs_lightning.studies.slurm import SlurmJobs

            return SlurmJobs(self.launcher, self.folder / "slurm")
        if self.launcher["name"] == "parallel":
            most = max(cell.processes[0] for cell in self.everything)
            return LocalJobs.parallel(
                self.launcher.get("jobs"), most, [cell.config["trainer"]["accelerator"] for cell in self.everything]
            )
        return LocalJobs()

    def cells_table(self, foreign: Sequence[Cell] = ()) -> Table:
        """Lay out what this command will do with each cell."""
        states = states_of(self.everything, all_scores)
        counts = ", ".join(f"{n} {state}" for state in State if (n := list(states.values()).count(state)))
        table = Table(
            title=f"{self.name}: {len(self.everything)} cells, {counts}", title_style="bold", header_style="bold"
        )
        names = list(dict.fromkeys(key for cell in self.cells for key in cell.parameters))
        for column in (*(names or ["cell"]), "seed", "state", "run folder"):
            table.add_column(column, overflow="fold")
        for cell in self.everything:
            own = [cell.parameters.get(name, "") for name in names] if cell in self.cells else None
            shown = own or [f"starts others: {cell.name}", *[""] * (len(names) - 1)]
            state = states[cell.signature]
            remark = _remark(cell, state, cell in foreign)
            table.add_row(*(shown if names else [cell.name]), str(cell.seed), f"{state}{remark}", cell.folder.name)
        return table

    def best_score(self, cell: Cell) -> float | None:
        """Return a done cell's best validation mIoU, which an optimising sweeper maximises."""
        best = (read_metrics(cell.folder) or {}).get("best") or {}
        return best.get("val_miou_frame")

    def _slots(self) -> int:
        return 1 if self.launcher["name"] == "slurm" else self.executor().slots


def failures(session: Session, outcome: Outcome) -> UserError | None:
    """Bring what went wrong into one message, each cell by its name; None where nothing did."""
    if not outcome.failed and not outcome.blocked:
        return None
    names = {cell.signature: cell.name or cell.folder.name for cell in session.everything}
    lines = [f"{len(outcome.failed)} of {len(names)} cells failed:"]
    lines += [f"  {names[signature]}: {why}" for signature, why in outcome.failed.items()]
    if outcome.blocked:
        lines.append(
            f"{len(outcome.blocked)} of {len(names)} cells are blocked, since what they start from has failed:"
        )
        lines += [f"  {names[signature]}: waits for {parent}" for signature, parent in outcome.blocked.items()]
    lines.append("The same command tries them again, and nothing else.")
    return UserError("\n".join(lines))


def digest(texts: Any) -> str:
    """Return eight hex digits for a set of texts."""
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:8]


def _remark(cell: Cell, state: State, foreign: bool) -> str:
    remarks = {
        State.DONE: "",
        State.FAILED: f" before: {failure_of(cell.folder)}; tried again",
        State.RUNNING: " in another command; its results are taken",
        State.RESUMED: " (metrics.json is cut: tested again)" if is_damaged(cell.folder) else "",
    }
    return remarks.get(state, "") + (" by other code" if foreign else "")
