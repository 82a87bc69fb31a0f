"""One command that runs a study: what it will do, doing it, and what came of it."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from avs_lightning.errors import UserError, choose
from avs_lightning.reporting.console import console
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import STORE, Cell
from avs_lightning.studies.cells.composing import Compose, compose_cells, with_dashboard
from avs_lightning.studies.cells.data import check_same_data, is_synthetic
from avs_lightning.studies.cells.locks import locked_study
from avs_lightning.studies.cells.other_code import settle_other_code
from avs_lightning.studies.cells.plan import STUDIES, Plan, with_parents
from avs_lightning.studies.execution.offline_runs import link_offline_runs
from avs_lightning.studies.execution.processes import LocalJobs
from avs_lightning.studies.execution.scheduler import Executor, Outcome, run_cells, states_of
from avs_lightning.studies.execution.watching import watcher_for
from avs_lightning.studies.reports import report_on
from avs_lightning.studies.spec.cell_spec import CellSpec
from avs_lightning.studies.spec.study import Study
from avs_lightning.studies.status import cells_table, study_table, written

LAUNCHERS = ("local", "parallel", "slurm")


@dataclass(frozen=True)
class Session:
    """The cells that a command is about, and how it is to run them.

    Attributes:
        name: of the study's folder.
        cells: the study's own, in the order in which they were asked for.
        everything: these and the cells they start from, parents first.
        runs: the folder of all runs.
        launcher: the settings of `launcher`.
        overrides: what was given on the command line.
        dry_run: say what would be run, and run nothing.
        study: what study.yaml says; None for a sweep.
    """

    name: str
    cells: Sequence[Cell]
    everything: Sequence[Cell]
    runs: Path
    launcher: Mapping[str, Any]
    overrides: Sequence[str] = ()
    dry_run: bool = False
    study: Study | None = None

    @classmethod
    def compose(
        cls,
        specs: Sequence[CellSpec],
        compose: Compose,
        command: str = "train",
        study: Study | None = None,
        overrides: Sequence[str] = (),
        name: str | None = None,
    ) -> Session:
        """Compose the cells of a study or a sweep.

        A sweep without `study=NAME` is named after the day, what is swept and its cells: the same command finds its own
        study again by these. Where they come in several batches, `name` is what the first was given.

        Raises:
            UserError: a configuration that does not compose, two cells that would compute the same, a setting of
                `launcher` or `study` that means nothing.
        """
        with console.status(f"composing {len(specs)} cells"):
            cells = compose_cells(specs, compose, command)
        first = cells[0].config
        choose(first["launcher"]["name"], LAUNCHERS, "launcher.name")
        given = study.folder_name if study else first.get("study") or name
        if given and not re.fullmatch(r"\w[\w.+-]*", str(given)):
            raise UserError(f"study={given}: the name is a folder's; it has letters, digits, _, -, + and . only")
        runs = Path(first["paths"]["runs_dir"]).resolve()
        name = str(given or sweep_name(cells, runs))
        cells = [with_dashboard(cell, name) for cell in cells]
        dry_run = bool(first.get("dry_run"))
        return cls(name, cells, with_parents(cells), runs, first["launcher"], overrides, dry_run, study)

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return self.runs / STUDIES / self.name

    def run(self, failed: Mapping[str, str] | None = None) -> Outcome:
        """Run what is not done, and say first what that is.

        Args:
            failed: signatures, with the reasons, of cells that this command has tried already.

        Raises:
            UserError: nothing could be begun: the launcher's settings, other code, another command, a full disk.
            KeyboardInterrupt: Ctrl-C or SIGTERM; what ran has been stopped.
        """
        executor = self.executor()
        if self.dry_run:
            from avs_lightning.studies.estimate.estimate import estimate  # torch, to measure

            self._tell_states()
            with console.status("measuring how long it will take"):
                taking = estimate(self.everything, 1 if self.launcher["name"] == "slurm" else executor.slots)
            console.print(taking)
            console.print("Dry run: nothing was trained or written.")
            return Outcome()
        with _explained(self.folder), locked_study(self.folder):
            kept = settle_other_code(self.everything, str(self.launcher.get("other_code", "refuse")))
            with console.status("looking at the data"):
                check_same_data(self.everything)
            self.plan().save(self.folder)
            if self._tell_states(kept) == {State.DONE}:
                console.print("Nothing to run: every cell is done.")
            try:
                with watcher_for(self.everything) as watcher:
                    return run_cells(self.everything, executor, watcher, failed)
            except KeyboardInterrupt as stop:
                raise KeyboardInterrupt(
                    f"{self.name} was stopped, its running cells too; the same command goes on from here "
                    f"(avs study status {self.name} says how far it is)"
                ) from stop

    def conclude(self, outcome: Outcome) -> None:
        """Show the results, then say what went wrong.

        Raises:
            UserError: cells have failed, named with their reasons; or table or report cannot be written.
        """
        unwritten = None
        if not self.dry_run:
            try:
                self.show_results()
            except UserError as error:
                unwritten = error
        failed = failures(self, outcome)
        if failed:
            raise UserError(f"{failed}\n{unwritten}") if unwritten else failed
        if unwritten:
            raise unwritten

    def show_results(self) -> None:
        """Print the table, and write table and report into the study's folder.

        Raises:
            UserError: they cannot be written.
        """
        table = study_table(self.folder)
        console.print(table.to_rich())
        for kind, suffix in (("md", "md"), ("csv", "csv")):
            written(self.folder / f"table.{suffix}", table, kind)
        report = report_on([self.folder], self.folder / "report.html")
        console.print(f"Table: {self.folder / 'table.md'}\nReport: {report}", soft_wrap=True)
        console.print(f"Again, with other runs beside it: avs report {self.name}", soft_wrap=True)
        if waiting := link_offline_runs(self.folder, self.everything):
            line = shlex.join(["wandb", "sync", str(waiting)])
            console.print(f"W&B ran offline; to upload every cell: {line}", soft_wrap=True)

    def plan(self) -> Plan:
        """Return what the study's folder is to remember."""
        study = self.study
        title, question = (study.title, study.question) if study else (f"Sweep {self.name}", "")
        synthetic, table = any(map(is_synthetic, self.cells)), study.table if study else None
        return Plan(self.name, title, question, synthetic, list(self.overrides), self.everything, table)

    def executor(self) -> Executor:
        """Build what the cells run on.

        Raises:
            UserError: the machine does not have what the launcher needs.
        """
        launcher = self.launcher["name"]
        if launcher == "slurm":
            from avs_lightning.studies.execution.slurm import SlurmJobs

            return SlurmJobs(self.launcher, self.folder / "slurm")
        if nodes := [cell.processes[1] for cell in self.everything if cell.processes[1] > 1]:
            raise UserError(
                f"launcher={launcher} runs cells on this machine alone, and trainer.num_nodes={nodes[0]}: with "
                "launcher=slurm a cell has several machines"
            )
        if launcher == "local":
            return LocalJobs()
        trainers = [cell.config["trainer"] for cell in self.everything]
        if listed := [trainer["devices"] for trainer in trainers if isinstance(trainer["devices"], (list, tuple))]:
            raise UserError(
                f"trainer.devices={listed[0]}: launcher=parallel hands out the devices itself; say how many a cell "
                f"takes, trainer.devices={len(listed[0])}, and CUDA_VISIBLE_DEVICES limits which"
            )
        most = max(cell.processes[0] for cell in self.everything)
        return LocalJobs.parallel(self.launcher.get("jobs"), most, [trainer["accelerator"] for trainer in trainers])

    def best_score(self, cell: Cell) -> float | None:
        """Return a done cell's best validation mIoU, which an optimising sweeper maximises."""
        return Run(cell.folder).results.best.get("val_miou_frame")

    def _tell_states(self, kept: Sequence[Cell] = ()) -> set[State]:
        states = states_of(self.everything)
        console.print(cells_table(self.name, self.everything, states, kept))
        console.print(f"Run folders: {self.runs / STORE}", soft_wrap=True)
        return set(states.values())


def failures(session: Session, outcome: Outcome) -> UserError | None:
    """Bring what went wrong into one message, each cell by its name; None where nothing did."""
    if not outcome.failed and not outcome.blocked:
        return None
    names = {cell.signature: cell.label for cell in session.everything}
    lines = [f"{len(outcome.failed)} of {len(names)} cells failed:"]
    reasons: dict[str, list[str]] = {}
    for signature, why in outcome.failed.items():
        reasons.setdefault(why, []).append(names[signature])
    lines += [f"  {', '.join(alike)}: {why}" for why, alike in reasons.items()]
    if outcome.blocked:
        lines.append(
            f"{len(outcome.blocked)} of {len(names)} cells are blocked, since what they start from has failed:"
        )
        lines += [f"  {names[signature]}: waits for {parent}" for signature, parent in outcome.blocked.items()]
    if outcome.left:
        lines.append(f"{len(outcome.left)} of {len(names)} cells were not begun: the disk is full. Free some space.")
    lines.append("The same command tries them again, and nothing else.")
    return UserError("\n".join(lines))


def sweep_name(cells: Sequence[Cell], runs: Path) -> str:
    """Return the name of a sweep of these cells, that of its folder where it has one."""
    ending = digest([cell.signature for cell in cells])
    keys = dict.fromkeys(key.rpartition(".")[2] for cell in cells for key in cell.parameters)
    swept = re.sub(r"[^\w+]", "", "_".join(keys))[:40].strip("_") or "sweep"
    known = sorted(folder.name for folder in (runs / STUDIES).glob(f"*-{ending}"))
    return known[0] if known else f"{date.today().isoformat()}_{swept}-{ending}"


def digest(texts: Sequence[str]) -> str:
    """Return eight hex digits for a set of texts."""
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:8]


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader of this command's output has gone
        raise
    except OSError as error:
        raise UserError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}; paths.runs_dir=FOLDER is "
            "where runs and studies go, and what is done is kept"
        ) from error
