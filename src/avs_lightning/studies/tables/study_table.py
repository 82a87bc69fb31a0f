"""A study's table: its scores in the layout of the paper, beside the paper's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from rich.console import Group

from avs_lightning.metrics.names import PROTOCOLS, protocol_label
from avs_lightning.studies.spec.table_layout import TableLayout
from avs_lightning.studies.tables import grid as grids
from avs_lightning.studies.tables.cell_scores import TableCell, table_cells
from avs_lightning.studies.tables.grid import Entry, Grid, Note, Row
from avs_lightning.studies.tables.latex import to_latex
from avs_lightning.studies.tables.orderings import Ordering, judge_claims
from avs_lightning.studies.tables.provenance import Provenance

FACTS = {
    "data": "data set",
    "fingerprint": "fingerprint of the data",
    "code": "code version",
    "seeds": "seeds",
    "date": "date",
    "machine": "machine",
}
"""What people call the facts below a table, in their order."""


@dataclass(frozen=True)
class StudyTable:
    """A table and what stands under it, see `build_table`."""

    title: str
    layout: TableLayout
    cells: tuple[TableCell, ...]
    orderings: tuple[Ordering, ...]
    provenance: Provenance
    facts: Mapping[str, str]
    source: str | None
    synthetic: bool

    @property
    def warnings(self) -> list[str]:
        """What speaks against comparing these numbers with each other or with the paper's."""
        found, layout = list(self.provenance.warnings()), self.layout
        if self.source is None:
            return found
        if layout.protocol != "reference":
            theirs = protocol_label("reference")
            found.append(f"the paper's numbers follow the protocol {theirs}, ours {layout.protocol}.")
        if not self.compared:
            found.append(f"no cell of this study has a published {layout.title.replace(' and ', ' or ')}.")
        return found

    @property
    def compared(self) -> tuple[str, ...]:
        """The scores of which a cell has a published number."""
        layout = self.layout
        return tuple(name for name in layout.scores if any(cell.scores[name].paper is not None for cell in self.cells))

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
        """One line a cell: the axes' values as the study names them, n, of each score `miou_mean`, `miou_std`,
        `miou_paper` and `miou_difference` (an mIoU in percent, an F-score as a fraction), and its state.
        """
        layout, compared = self.layout, self.compared
        rows, known = [], self.provenance.facts()
        facts = {key: known.get(key, "") for key in ("data", "fingerprint", "code")}
        for cell in self.cells:
            row: dict[str, object] = {"n": cell.n, "planned": cell.planned}
            for name, score in cell.scores.items():
                row |= {f"{name}_mean": score.mean, f"{name}_std": score.std}
                if name in compared:
                    row |= {f"{name}_paper": score.paper, f"{name}_difference": score.difference}
            said = {"state": cell.state, "protocol": layout.protocol if layout.has_protocol else ""}
            said["clips"] = "synthetic" if self.synthetic else "real"
            said["encoder"] = "; ".join(cell.encoders)
            rows.append({**row, **said, **facts, **cell.values})
        table = pd.DataFrame(rows)
        order = [*layout.axes, *(column for column in table.columns if column not in layout.axes)]
        return table[order].to_csv(index=False, float_format="%.6g", lineterminator="\n")


def build_table(
    results: pd.DataFrame,
    layout: TableLayout,
    published: pd.DataFrame | None,
    *,
    synthetic: bool,
    provenance: Provenance | None = None,
    facts: Mapping[str, str] | None = None,
    title: str = "",
) -> StudyTable:
    """Set a study's results into its table.

    Args:
        results: a row a cell and seed. Columns: the axes, "seed", "state" ("done", "new", "resumed", "running",
            "failed", "blocked"), and the scores as fractions ("miou_reference", ..., "false_positive_rate").
        layout: of the table.
        published: the table to compare with, as `published_table` returns it, or None.
        synthetic: of drawn clips; then no published number comes near the table, nor where a result is not known to be
            of real ones ("synthetic" in `results`), nor where it is of another data set than the published ones.
        provenance: of the results.
        facts: more that is shown below; "seeds" has a place among those of the provenance.
        title: above the table.

    Raises:
        UserError: two results are of the same cell and seed.
    """
    if "synthetic" in results:
        known = results.loc[results["state"].astype(str) == "done", "synthetic"]
        synthetic = synthetic or not all(value is False for value in known.tolist())
    provenance, facts = provenance or Provenance(), dict(facts or {})
    beside = None if synthetic else published
    if beside is not None and "setting" in beside and not comparable(provenance.data, beside["setting"]):
        theirs = ", ".join(beside["setting"].unique())
        facts["published numbers"] = f"are of {theirs}, and these results of other clips: not shown"
        beside = None
    measured = layout.measured(results)
    cells = table_cells(measured, layout, beside)
    source = None if beside is None else "; ".join(beside["source"].unique())
    orderings = tuple(judge_claims(measured, layout))
    return StudyTable(title, layout, cells, orderings, provenance, facts, source, synthetic)


def comparable(data: Sequence[str], settings: Iterable[str]) -> bool:
    """Say whether results of data sets, by name, may stand beside numbers that were published of `settings`."""
    return {name.lower() for name in data} <= {setting.lower() for setting in settings}


def _grid(table: StudyTable) -> Grid:
    """Lay a table out: each score has lines of its own, or its own column where no axis makes columns."""
    layout, compared = table.layout, table.compared
    cells = {tuple(cell.values[axis] for axis in layout.axes): cell for cell in table.cells}
    rows, columns = (_paths(table.cells, axes) for axes in (layout.rows, layout.columns))
    uneven = len({cell.planned for cell in table.cells}) > 1
    blocks = [(name,) for name in layout.scores] if layout.columns else [layout.scores]

    def labels(axes: Sequence[str], path: Sequence[str]) -> tuple[str, ...]:
        return tuple(layout.label(axis, value) for axis, value in zip(axes, path))

    def row(path: tuple[str, ...]) -> Row:
        lines = []
        for block in blocks:
            found = [(cells.get((*path, *column)), name) for column in columns for name in block]
            title = "ours" if len(blocks) == 1 else layout.units[block[0]].title
            lines.append((title, tuple(_ours(cell, name, layout, uneven) for cell, name in found)))
            if set(block) & set(compared):
                for kind in ("paper", "difference"):
                    lines.append((kind, tuple(_beside(cell, name, kind, layout) for cell, name in found)))
        return Row(labels(layout.rows, path), tuple(lines))

    return Grid(
        title=f"{table.title}: {layout.title}" if table.title else layout.title,
        row_axes=layout.rows,
        column_axes=layout.columns,
        columns=tuple(labels(layout.columns, path) for path in columns)
        if layout.columns
        else tuple((unit.title,) for unit in layout.units.values()),
        rows=tuple(row(path) for path in rows),
        notes=tuple(_notes(table)),
    )


def _paths(cells: Sequence[TableCell], axes: Sequence[str]) -> list[tuple[str, ...]]:
    """The combinations of some axes that have a cell; every axis in the order in which its values appear."""
    present = {tuple(cell.values[axis] for axis in axes) for cell in cells}
    ordered = itertools.product(*(dict.fromkeys(cell.values[axis] for cell in cells) for axis in axes))
    return [path for path in ordered if path in present]


def _ours(cell: TableCell | None, name: str, layout: TableLayout, uneven: bool) -> Entry:
    if cell is None:
        return Entry("missing", "")
    score, unit, leads = cell.scores[name], layout.units[name], name == layout.scores[0]
    if score.mean is None:
        return Entry("missing", f"– {cell.state}" if leads else "–")
    text = unit.text(score.mean)
    if score.std is not None:
        text += f" ± {unit.text(score.std)}"
    if leads and cell.n < cell.planned:
        text += f" ({cell.state})"
    elif leads and uneven:
        text += f" (n={cell.n})"
    return Entry("ours", text, score.mean)


def _beside(cell: TableCell | None, name: str, kind: str, layout: TableLayout) -> Entry:
    if cell is None:
        return Entry(kind, "")
    score, unit = cell.scores[name], layout.units[name]
    value = score.paper if kind == "paper" else score.difference
    if value is None:
        return Entry(kind, "–")
    return Entry(kind, unit.text(value) if kind == "paper" else unit.signed(value), value)


def _notes(table: StudyTable) -> Iterator[Note]:
    """What stands under a table: how to read it, what was claimed, where its numbers come from."""
    yield from (Note("warning", text) for text in table.warnings)
    layout, planned = table.layout, {cell.planned for cell in table.cells}
    protocol = f"; protocol {protocol_label(layout.protocol)} ({PROTOCOLS[layout.protocol]})"
    seeds = "each cell one seed" if planned == {1} else "mean ± sample standard deviation over the seeds of a cell"
    if len(planned) == 1 and planned != {1}:
        seeds = f"mean ± sample standard deviation over {min(planned)} seeds"
    yield Note("note", f"{layout.title}{protocol if layout.has_protocol else ''}; {seeds}.")
    missing = [cell.state for cell in table.cells if not cell.n]
    if missing:
        counts = ", ".join(f"{missing.count(state)} {state}" for state in dict.fromkeys(missing))
        yield Note("note", f"{len(missing)} of {len(table.cells)} cells are missing: {counts}.")
    if table.compared:
        yield Note("note", f"paper: {table.source}; difference: ours less the paper's.")
    if table.synthetic:
        yield Note("note", "Synthetic clips: these numbers do not compare with published ones.")
    for ordering in table.orderings:
        whose = "The paper claims" if layout.published else "Asked"
        yield Note("claim", f"{whose}: {ordering.claim.text}. Here it {ordering.counts}.")
        yield from (Note("case", case.text(layout.leading)) for case in ordering.cases)
    facts = {**table.provenance.facts(), **table.facts}
    for key in [*(key for key in FACTS if key in facts), *(key for key in facts if key not in FACTS)]:
        yield Note("fact", f"{FACTS.get(key, key)}: {facts[key]}")
