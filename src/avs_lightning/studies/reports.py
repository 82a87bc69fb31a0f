"""What a page is made from: a study, a run, or any number of both."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from avs_lightning.errors import UserError
from avs_lightning.reporting.report import Report, ReportRun, write_report
from avs_lightning.reporting.report.config_diff import config_differences
from avs_lightning.run import Run
from avs_lightning.run.names import CONFIG
from avs_lightning.studies.cells.plan import PLAN, Plan
from avs_lightning.studies.status import study_table
from avs_lightning.studies.tables.provenance import provenance_of

PRUNED = ("checkpoints", "clips", "pictures", "wandb", ".hydra")


def report_on(folders: Sequence[Path], path: Path) -> Path:
    """Write one page about studies, sweeps, runs and folders of them.

    Raises:
        UserError: a folder holds none of these, a plan is damaged, or the file cannot be written.
    """
    found = list(dict.fromkeys(source.resolve() for folder in folders for source in sources_in(folder)))
    studies = [study_report(source) for source in found if is_study(source)]
    theirs = {run.folder.resolve() for study in studies for run in study.runs}
    runs = [run_report(source) for source in found if not is_study(source) and source not in theirs]
    parts = [*studies, *runs]
    return write_report(parts[0] if len(parts) == 1 else together(parts), path)


def together(parts: Sequence[Report]) -> Report:
    """Make one report of several: each run once, told apart by the settings in which they differ."""
    # A run that one study has as its own and another only starts from is the former's.
    ordered = sorted((run for part in parts for run in part.runs), key=lambda run: not run.parent)
    runs = {run.folder.resolve(): run for run in ordered}
    title = " and ".join(part.title for part in parts) if len(parts) < 4 else f"{len(runs)} runs"
    tables = [table for part in parts for table in part.tables]
    notes = [note for part in parts for note in part.notes]
    leading = next((part for part in parts if part.tables), parts[0])
    facts = provenance_of(runs).facts()
    return Report(title, "", facts, told_apart(list(runs.values())), tables, notes, leading.score, leading.protocol)


def sources_in(folder: Path) -> Iterator[Path]:
    """Yield the runs and studies in a folder: itself, or those at any depth below it, in the order of their names.

    Raises:
        UserError: there are none.
    """
    count = 0
    for place, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if name not in PRUNED)
        if is_run(Path(place)) or PLAN in files:
            below.clear()
            count += 1
            yield Path(place)
    if not count:
        raise UserError(f"{folder} holds neither a run (config.yaml) nor a study (plan.json), nor does a folder below")


def is_run(folder: Path) -> bool:
    """Say whether a folder is a run's; Hydra leaves a config.yaml of its own elsewhere."""
    return (folder / CONFIG).is_file()


def is_study(folder: Path) -> bool:
    """Say whether a folder is that of a study or a sweep."""
    return (folder / PLAN).is_file()


def study_report(folder: Path) -> Report:
    """Return what a study's folder has for a page.

    Raises:
        UserError: the folder holds no study, or its plan is damaged.
    """
    plan, table = Plan.load(folder), study_table(folder)
    states = plan.states()
    shown = [
        ReportRun(
            name=cell.label,
            parameters=dict(cell.parameters),
            seed=cell.seed,
            state=str(states[cell.signature]),
            folder=cell.folder,
            note=Run(cell.folder).failure,
            parent=not cell.own,
        )
        for cell in plan.cells
    ]
    layout = table.layout
    facts = {"protocol": layout.protocol, **table.provenance.facts(), "seeds": table.facts["seeds"]}
    tables = [table.to_html(facts=False)]
    return Report(plan.title, plan.question, facts, shown, tables, table.warnings, layout.leading.name, layout.protocol)


def run_report(folder: Path) -> Report:
    """Return what a run's folder has for a page."""
    run = Run(folder)
    config = run.config
    name, seed = str(config.get("name") or folder.name), config.get("seed")
    shown = ReportRun(name, {}, seed if isinstance(seed, int) else 0, str(run.state), folder, run.failure)
    facts = {"seed": str(seed), **provenance_of([folder]).facts(), "run folder": str(folder)}
    if run.command:
        facts["command"] = shlex.join(run.command)
    return Report(name, "", facts, [shown])


def told_apart(runs: list[ReportRun]) -> list[ReportRun]:
    """Describe runs of different origins by the settings in which they differ; of one that has not begun as planned."""
    settings = [Run(run.folder).config for run in runs]
    differences = config_differences(settings)
    described = []
    for place, (run, its) in enumerate(zip(runs, settings)):
        parameters = {difference.key: difference.values[place] for difference in differences} if its else run.parameters
        described.append(replace(run, parameters=parameters))
    return described
