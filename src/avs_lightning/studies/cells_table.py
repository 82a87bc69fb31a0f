"""What a command says first: the cells that it is about, and what will happen to each."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from rich.table import Table

from avs_lightning.run import Run, State
from avs_lightning.studies.cells import Cell

MEANINGS = {
    State.DONE: "its results are there",
    State.RESUMED: "goes on from its last checkpoint",
    State.NEW: "starts from the beginning",
    State.FAILED: "failed before, is tried again",
    State.RUNNING: "another command runs it, its results are taken",
}
REASON = 60
"""Characters of a failure's reason; the whole of it is in failed.json and output.log."""


def cells_table(
    title: str, cells: Sequence[Cell], own: Sequence[Cell], states: Mapping[str, State], kept: Sequence[Cell] = ()
) -> Table:
    """Lay out the state of each cell, with what the states mean, in 80 columns.

    Args:
        title: of the study.
        cells: all of them.
        own: those of the study itself; the others are what these start from.
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
        name, state = cell_label(cell.name or cell.folder.name, cell in own), states[cell.signature]
        table.add_row(name, str(cell.seed), f"{state}{_remark(cell, state, cell in kept)}", cell.signature)
    return table


def cell_label(name: str, own: bool) -> str:
    """Return what tables call a cell: one that is not the study's `own` is there for others to start from."""
    return name if own else f"{name} (others start from it)"


def _remark(cell: Cell, state: State, kept: bool) -> str:
    remark = ""
    if state == State.FAILED:
        remark = f": {textwrap.shorten(Run(cell.folder).failure, REASON, placeholder=' ...')}"
    elif Run(cell.folder).is_cut:
        remark = " (metrics.json is cut: tested again)"
    return remark + (" by other code" if kept else "")
