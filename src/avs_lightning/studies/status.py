"""What a study's folder says of it: how far it is, its table."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from avs_lightning.data.sound_names import OWN
from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.metrics.names import protocol_label
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import STORE, Cell
from avs_lightning.studies.cells.plan import Plan
from avs_lightning.studies.spec.published import published_table
from avs_lightning.studies.tables.provenance import provenance_of
from avs_lightning.studies.tables.results import results_of
from avs_lightning.studies.tables.study_table import StudyTable, build_table

MEANINGS = {
    State.DONE: "its results are there",
    State.RESUMED: "goes on from its last checkpoint",
    State.NEW: "starts from the beginning",
    State.FAILED: "failed before, is tried again",
    State.RUNNING: "another command runs it, its results are taken",
}
REASON = 60
"""Characters of a failure's reason; the whole of it is in failed.json and output.log."""


def study_table(folder: Path, scores: Sequence[str] = (), protocol: str | None = None) -> StudyTable:
    """Build a study's table from what its cells have left; a sweep's has a row a cell.

    Args:
        folder: of the study.
        scores: "miou", "fscore", "fpr"; without any, those of the study's own table.
        protocol: None for that of the study's own table.

    Raises:
        UserError: the folder holds no study, its plan is damaged, or there is no such score or protocol.
    """
    plan = Plan.load(folder)
    layout, results = plan.layout.of(scores, protocol), results_of(plan)
    facts = {"seeds": ", ".join(map(str, sorted({cell.seed for cell in plan.own})))}
    if plan.table:
        facts |= {"overrides": " ".join(plan.overrides)} if plan.overrides else {}
    else:
        results = results.assign(cell="the only one") if layout.rows == ("cell",) else results
        results[list(layout.rows)] = results[list(layout.rows)].fillna("")
    return build_table(
        results,
        layout,
        published_table(layout.published) if layout.published else None,
        synthetic=plan.synthetic,
        provenance=provenance_of(cell.folder for cell in plan.own),
        facts=facts,
        title=plan.title,
    )


def status_of(folder: Path) -> tuple[Table, list[str]]:
    """Lay out how far each cell of a study is, with the leading score of the study's own table.

    Returns:
        A table that fits 80 columns, and the lines below it, which are to be copied and so not folded.

    Raises:
        UserError: the folder holds no study, or its plan is damaged.
    """
    plan = Plan.load(folder)
    states, layout = plan.states(), plan.layout
    counts = ", ".join(f"{count} {state}" for state, count in Counter(states.values()).most_common())
    table = Table(title=f"{plan.study}: {len(plan.cells)} cells, {counts}", title_style="bold", header_style="bold")
    for column in ("cell", "seed", "state", layout.leading.title):
        table.add_column(column, overflow="fold", justify="right" if column == layout.leading.title else "left")
    reasons: dict[str, list[str]] = {}
    for cell in plan.cells:
        state, run = states[cell.signature], Run(cell.folder)
        score = run.results.scores.get(OWN, {}).get(layout.leading.column(layout.protocol))
        if state == State.FAILED:
            reasons.setdefault(run.failure, []).append(cell.name)
        table.add_row(
            _named(cell),
            str(cell.seed),
            state + _detail(run, state),
            "" if score is None else layout.leading.text(layout.leading.scale * score),
        )
    protocol = f"Protocol {protocol_label(layout.protocol)}; " if layout.leading.has_protocol else ""
    lines = [f"failed, {', '.join(names)}: {why}" for why, names in reasons.items()]
    lines.append(
        " ".join([f"{protocol}planned {plan.planned}", *(["with", *plan.overrides] if plan.overrides else [])])
    )
    lines.append(f"Run folders, in {folder.parents[1] / STORE}:")
    return table, [*lines, *(f"  {cell.folder.name}" for cell in plan.cells)]


def cells_table(title: str, cells: Sequence[Cell], states: Mapping[str, State], kept: Sequence[Cell] = ()) -> Table:
    """Lay out the state of each cell, with what the states mean, in 80 columns.

    Args:
        title: of the study.
        cells: all of them.
        states: by signature.
        kept: those whose results are another code's.
    """
    counts = {state: n for state in State if (n := list(states.values()).count(state))}
    told = ", ".join(f"{n} {state}" for state, n in counts.items())
    table = Table(
        title=f"{title}: {len(cells)} cell{'s'[: len(cells) != 1]}, {told}",
        caption="\n".join(f"{state}: {MEANINGS[state]}" for state in counts if state in MEANINGS),
        title_style="bold",
        header_style="bold",
        caption_justify="left",
    )
    for column in ("cell", "seed", "state"):
        table.add_column(column, overflow="fold")
    table.add_column("folder ends in", no_wrap=True)
    for cell in cells:
        state = states[cell.signature]
        table.add_row(_named(cell), str(cell.seed), f"{state}{_remark(cell, state, cell in kept)}", cell.signature)
    return table


def written(path: Path, table: StudyTable, kind: str) -> Path:
    """Write a table as "md", "csv" or "latex".

    Raises:
        UserError: the file cannot be written.
    """
    text = {"md": table.to_markdown, "csv": table.to_csv, "latex": table.to_latex}[kind]()
    try:
        write_whole(path, text.rstrip("\n") + "\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _detail(run: Run, state: State) -> str:
    if run.is_cut:
        return ", metrics.json is damaged: the next run tests it again"
    progress = run.progress
    return f", {100 * progress.fraction:.0f}% ({progress.phase})" if state == State.RUNNING and progress else ""


def _remark(cell: Cell, state: State, kept: bool) -> str:
    remark = ""
    if state == State.FAILED:
        remark = f": {textwrap.shorten(Run(cell.folder).failure, REASON, placeholder=' ...')}"
    elif Run(cell.folder).is_cut:
        remark = " (metrics.json is cut: tested again)"
    return remark + (" by other code" if kept else "")


def _named(cell: Cell) -> str:
    return cell.label if cell.own else f"{cell.label} (others start from it)"
