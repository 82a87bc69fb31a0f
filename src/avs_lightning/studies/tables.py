"""A study's table: its scores in the layout of the paper, beside the paper's."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from rich.console import Group

from avs_lightning.studies import grid as grids
from avs_lightning.studies.grid import Entry, Grid, Row
from avs_lightning.studies.grid_latex import to_latex
from avs_lightning.studies.layout import Layout
from avs_lightning.studies.orderings import Ordering, judge_claims
from avs_lightning.studies.published import published_score
from avs_lightning.studies.table_notes import notes, warnings

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
    """A cell of the table, in the score's shown unit.

    Attributes:
        values: per axis.
        planned: how many seeds it has.
        n: how many of them have a score.
        mean: over these; None where there is none.
        std: the sample standard deviation (n - 1); None below two.
        paper: the published number; None where there is none, and always for synthetic clips.
        state: "done", "2 of 3 seeds", or why there is no score.
        encoders: that were trained, as their runs name them.
    """

    values: Mapping[str, str]
    planned: int
    n: int
    mean: float | None
    std: float | None
    paper: float | None
    state: str
    encoders: tuple[str, ...] = ()

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper


@dataclass(frozen=True)
class StudyTable:
    """A table and what stands under it, see `build_table`."""

    title: str
    layout: Layout
    cells: tuple[CellScore, ...]
    orderings: tuple[Ordering, ...]
    facts: Mapping[str, str]
    source: str | None
    synthetic: bool

    @property
    def warnings(self) -> list[str]:
        """What speaks against comparing these numbers with each other or with the paper's."""
        return list(warnings(self))

    @property
    def grid(self) -> Grid:
        """The table in its rows and columns."""
        return _grid(self)

    def to_markdown(self) -> str:
        """For GitHub."""
        return grids.to_markdown(self.grid)

    def to_latex(self) -> str:
        """A `table` environment; it needs booktabs and multirow."""
        return to_latex(self.grid)

    def to_html(self, facts: bool = True) -> str:
        """A `<figure class="study-table">` with the table and its notes; `facts`: also the facts and warnings."""
        grid = self.grid
        shown = tuple(note for note in grid.notes if facts or note.kind not in ("fact", "warning"))
        return grids.to_html(replace(grid, notes=shown))

    def to_rich(self) -> Group:
        """For the terminal."""
        return grids.to_rich(self.grid)

    def to_csv(self) -> str:
        """One line a cell: the axes' values as the study names them, n, mean, std, paper, difference, state."""
        layout = self.layout
        rows = []
        for cell in self.cells:
            row = {"n": cell.n, "planned": cell.planned, "mean": cell.mean, "std": cell.std}
            beside = {} if self.source is None else {"paper": cell.paper, "difference": cell.difference}
            said = {
                "state": cell.state,
                "score": layout.unit.title,
                "protocol": "" if layout.score == "fpr" else layout.protocol,
            }
            said["clips"] = "synthetic" if self.synthetic else "real"
            said["encoder"] = "; ".join(cell.encoders)
            facts = {key: self.facts.get(key, "") for key in ("data", "fingerprint", "code")}
            rows.append({**row, **beside, **said, **facts, **cell.values})
        table = pd.DataFrame(rows)
        order = [*layout.axes, *(column for column in table.columns if column not in layout.axes)]
        return table[order].to_csv(index=False, float_format="%.6g", lineterminator="\n")


def build_table(
    results: pd.DataFrame,
    layout: Layout,
    published: pd.DataFrame | None,
    *,
    synthetic: bool,
    facts: Mapping[str, str],
    title: str = "",
) -> StudyTable:
    """Set a study's results into its table.

    Args:
        results: a row a cell and seed. Columns: the axes, "seed", "state" ("done", "new", "resumed", "running",
            "failed", "blocked"), and the scores as fractions ("miou_reference", ..., "false_positive_rate").
        layout: of the table.
        published: the table to compare with, as `published_table` returns it, or None.
        synthetic: of drawn clips; then no published number comes near the table, nor where a result is not known to be
            of real ones ("synthetic" in `results`).
        facts: shown below. Known: "data", "fingerprint" and "code", several separated by ";" (a fingerprint may follow
            its data set's name; a code version counts up to its first comma), "seeds", "date", "machine".
        title: above the table.

    Raises:
        UserError: two results are of the same cell and seed.
    """
    if "synthetic" in results:
        known = results.loc[results["state"].astype(str) == "done", "synthetic"]
        synthetic = synthetic or not all(value is False for value in known.tolist())
    beside = None if synthetic else published
    scores = layout.scores(results)
    cells = tuple(
        _cell(dict(zip(layout.axes, map(str, key))), group, layout, beside)
        for key, group in scores.groupby(list(layout.axes), sort=False)
    )
    source = None if beside is None else "; ".join(beside["source"].unique())
    return StudyTable(title, layout, cells, tuple(judge_claims(results, layout)), dict(facts), source, synthetic)


def _cell(values: dict[str, str], seeds: pd.DataFrame, layout: Layout, published: pd.DataFrame | None) -> CellScore:
    scored = seeds["score"].dropna()
    n, planned = len(scored), len(seeds)
    if n:
        state = "done" if n == planned else f"{n} of {planned} seeds"
    else:
        present = set(seeds["state"].astype(str))
        state = next((shown for name, shown in STATES.items() if name in present), ", ".join(sorted(present)))
    paper = None if published is None else published_score(published, layout.score, layout.spellings(values))
    mean = float(scored.mean()) if n else None
    std = float(scored.std(ddof=1)) if n > 1 else None
    encoders = tuple(dict.fromkeys(name for name in seeds["encoder"] if name))
    return CellScore(values, planned, n, mean, std, paper, state, encoders)


def _grid(table: StudyTable) -> Grid:
    layout = table.layout
    cells = {tuple(cell.values[axis] for axis in layout.axes): cell for cell in table.cells}
    rows, columns = (_paths(table.cells, axes) for axes in (layout.rows, layout.columns))
    uneven = len({cell.planned for cell in table.cells}) > 1

    def labels(axes: Sequence[str], path: Sequence[str]) -> tuple[str, ...]:
        return tuple(layout.label(axis, value) for axis, value in zip(axes, path))

    def row(path: tuple[str, ...]) -> Row:
        found = [cells.get((*path, *column)) for column in columns]
        lines = [("ours", tuple(_ours(cell, layout, uneven) for cell in found))]
        if table.source is not None:
            lines += [(name, tuple(_beside(cell, name, layout) for cell in found)) for name in ("paper", "difference")]
        return Row(labels(layout.rows, path), tuple(lines))

    return Grid(
        title=f"{table.title}: {layout.unit.title}" if table.title else layout.unit.title,
        row_axes=layout.rows,
        column_axes=layout.columns,
        columns=tuple(labels(layout.columns, path) or (layout.unit.title,) for path in columns),
        rows=tuple(row(path) for path in rows),
        notes=tuple(notes(table)),
    )


def _paths(cells: Sequence[CellScore], axes: Sequence[str]) -> list[tuple[str, ...]]:
    """The combinations of some axes that have a cell; every axis in the order in which its values appear."""
    present = {tuple(cell.values[axis] for axis in axes) for cell in cells}
    ordered = itertools.product(*(dict.fromkeys(cell.values[axis] for cell in cells) for axis in axes))
    return [path for path in ordered if path in present]


def _ours(cell: CellScore | None, layout: Layout, uneven: bool) -> Entry:
    if cell is None:
        return Entry("missing", "")
    if cell.mean is None:
        return Entry("missing", f"– {cell.state}")
    text = layout.unit.text(cell.mean)
    if cell.std is not None:
        text += f" ± {layout.unit.text(cell.std)}"
    if cell.n < cell.planned:
        text += f" ({cell.state})"
    elif uneven:
        text += f" (n={cell.n})"
    return Entry("ours", text, cell.mean)


def _beside(cell: CellScore | None, name: str, layout: Layout) -> Entry:
    value = None if cell is None else cell.paper if name == "paper" else cell.difference
    if value is None:
        return Entry(name, "" if cell is None else "–")
    return Entry(name, layout.unit.text(value) if name == "paper" else layout.unit.signed(value), value)
