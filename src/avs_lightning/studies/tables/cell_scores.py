"""The cells of a study's table: their scores over the seeds, beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from avs_lightning.studies.spec.published import published_score
from avs_lightning.studies.spec.table_layout import TableLayout

# Of a cell without a score, what its seeds are, the most telling first; "done" is done without this score.
STATES = {
    "failed": "failed",
    "blocked": "blocked",
    "running": "running",
    "resumed": "cut off",
    "new": "not run",
    "done": "no score",
}


@dataclass(frozen=True)
class CellScore:
    """One score of a cell, in its shown unit.

    Attributes:
        mean: over the seeds; None where there is none.
        std: the sample standard deviation (n - 1); None below two.
        paper: the published number; None where there is none, and always for synthetic clips.
    """

    mean: float | None
    std: float | None
    paper: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper


@dataclass(frozen=True)
class TableCell:
    """A cell of the table.

    Attributes:
        values: per axis.
        planned: how many seeds it has.
        n: how many of them have the leading score.
        scores: by name, in the layout's order.
        state: "done", "2 of 3 seeds", or why there is no score.
        encoders: that were trained, as their runs name them.
    """

    values: Mapping[str, str]
    planned: int
    n: int
    scores: Mapping[str, CellScore]
    state: str
    encoders: tuple[str, ...] = ()


def table_cells(measured: pd.DataFrame, layout: TableLayout, published: pd.DataFrame | None) -> tuple[TableCell, ...]:
    """Return the cells of a table.

    Args:
        measured: a row a cell and seed, as `TableLayout.measured` returns them.
        layout: of the table.
        published: the table to compare with, as `published_table` returns it, or None.
    """
    return tuple(
        _cell(dict(zip(layout.axes, map(str, key))), group, layout, published)
        for key, group in measured.groupby(list(layout.axes), sort=False)
    )


def _cell(
    values: dict[str, str], seeds: pd.DataFrame, layout: TableLayout, published: pd.DataFrame | None
) -> TableCell:
    n, planned = int(seeds[layout.scores[0]].count()), len(seeds)
    if n:
        state = "done" if n == planned else f"{n} of {planned} seeds"
    else:
        present = set(seeds["state"].astype(str))
        state = next((shown for name, shown in STATES.items() if name in present), ", ".join(sorted(present)))
    spelled = layout.spellings(values)
    scores = {
        name: _score(seeds[name].dropna(), None if published is None else published_score(published, name, spelled))
        for name in layout.scores
    }
    encoders = tuple(dict.fromkeys(name for name in seeds["encoder"] if name))
    return TableCell(values, planned, n, scores, state, encoders)


def _score(values: pd.Series, paper: float | None) -> CellScore:
    n = len(values)
    return CellScore(float(values.mean()) if n else None, float(values.std(ddof=1)) if n > 1 else None, paper)
