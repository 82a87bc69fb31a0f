"""A grid of texts with labels of several levels, as Markdown, as HTML and for the terminal (LaTeX: `grid_latex`)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from avs_lightning.reporting.console import Prose

STYLES = {"missing": "yellow", "paper": "dim", "difference": "italic", "warning": "bold yellow"}
MARKDOWN = str.maketrans({**{sign: f"\\{sign}" for sign in "\\|*`<"}, "\n": " "})


@dataclass(frozen=True)
class Entry:
    """One text: `kind` is "ours", "missing", "paper" or "difference"; `value` is what it sorts by."""

    kind: str
    text: str
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """A row: a label for each row axis, and its lines, each with a name and an entry for each column."""

    labels: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Entry, ...]], ...]


@dataclass(frozen=True)
class Note:
    """A line under the grid: `kind` is "note", "fact", "warning", "claim" or "case" (one of the claim above it)."""

    kind: str
    text: str


@dataclass(frozen=True)
class Grid:
    """What is written.

    Attributes:
        title: above the grid.
        row_axes: name of each level of row labels.
        column_axes: name of each level of column labels.
        columns: of each column a label for each level.
        rows: from top to bottom, all with the same lines.
        notes: below.
    """

    title: str
    row_axes: tuple[str, ...]
    column_axes: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[Row, ...]
    notes: tuple[Note, ...]

    @property
    def caption(self) -> str:
        """The title with the names of the column axes, which stand nowhere else but in LaTeX."""
        return f"{self.title}; columns: {', '.join(self.column_axes)}" if self.column_axes else self.title

    @property
    def stub(self) -> tuple[str, ...]:
        """Headers of the columns that hold labels; where a row has several lines, one more holds their names."""
        several = any(len(row.lines) > 1 for row in self.rows)
        return (*self.row_axes, "") if several else self.row_axes


def spans(labels: Sequence[tuple[str, ...]], level: int) -> Iterator[tuple[str, int]]:
    """Yield the labels of one level, each with how many neighbours share it and all labels above it."""
    for key, group in itertools.groupby(labels, key=lambda path: path[: level + 1]):
        yield key[-1], len(list(group))


def to_markdown(grid: Grid) -> str:
    """Write a grid as GitHub's Markdown; the levels of column labels are joined."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.translate(MARKDOWN) for cell in cells)} |"

    lines = [f"**{grid.caption.translate(MARKDOWN)}**", ""]
    lines += [line([*grid.stub, *(", ".join(labels) for labels in grid.columns)])]
    lines += [line(["---"] * len(grid.stub) + ["---:"] * len(grid.columns))]
    for row in grid.rows:
        for number, (name, entries) in enumerate(row.lines):
            labels = row.labels if number == 0 else ("",) * len(row.labels)
            lines += [line([*(*labels, name)[: len(grid.stub)], *(entry.text for entry in entries)])]
    lines += [""]
    for note in grid.notes:
        indent = "  " if note.kind == "case" else ""
        lines += [f"{indent}- {_warning(note, '**')}{note.text.translate(MARKDOWN)}"]
    return "\n".join(lines) + "\n"


def to_html(grid: Grid) -> str:
    """Write a grid as `<figure class="study-table">`: a table whose cells hold their lines, and the notes.

    Every row repeats its labels, so that rows can be sorted; a cell's `data-value` is the number it sorts by.
    """
    levels = len(grid.column_axes)
    heads = []
    for level in range(max(levels, 1)):
        stub = [f'<th rowspan="{levels or 1}" scope="col">{escape(axis)}</th>' for axis in grid.row_axes]
        groups = [f'<th colspan="{n}" scope="col">{escape(text)}</th>' for text, n in spans(grid.columns, level)]
        heads.append("<tr>" + "".join((stub if level == 0 else []) + groups) + "</tr>")
    rows = [
        "<tr>" + "".join(f'<th scope="row">{escape(label)}</th>' for label in row.labels)
        + "".join(_html_cell(row, column) for column in range(len(grid.columns))) + "</tr>"
        for row in grid.rows
    ]  # fmt: skip
    notes = [f'<p class="{note.kind}">{_warning(note)}{escape(note.text)}</p>' for note in grid.notes]
    before = ['<figure class="study-table">', "<table>", f"<caption>{escape(grid.caption)}</caption>", "<thead>"]
    after = ["</tbody>", "</table>", "<figcaption>", *notes, "</figcaption>", "</figure>"]
    return "\n".join([*before, *heads, "</thead>", "<tbody>", *rows, *after]) + "\n"


def to_rich(grid: Grid) -> Group:
    """Lay a grid out for the terminal; the paper's widest table fits into 80 columns."""
    table = Table(
        title=Text(grid.caption, style="bold"),
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
        pad_edge=False,
    )
    for axis in grid.stub:
        table.add_column(Text(axis), no_wrap=True)  # so that where it is narrow, the numbers' columns are folded
    for labels in grid.columns:
        table.add_column(Text("\n".join(labels)), justify="right", vertical="top", overflow="fold")
    for row, below in itertools.zip_longest(grid.rows, grid.rows[1:]):
        for number, (name, entries) in enumerate(row.lines):
            labels = row.labels if number == 0 else ("",) * len(row.labels)
            cells = [Text(text) for text in (*labels, name)[: len(grid.stub)]]
            # "±0.31" without a space moves to the next line whole where the terminal is narrow
            cells += [Text(entry.text.replace("± ", "±"), style=STYLES.get(entry.kind, "")) for entry in entries]
            table.add_row(*cells)
        if len(row.lines) > 1 or (below and len(row.labels) > 1 and below.labels[0] != row.labels[0]):
            table.add_section()
    notes = (
        Prose(_warning(note) + note.text, STYLES.get(note.kind, ""), indent=3 if note.kind == "case" else 0)
        for note in grid.notes
    )
    return Group(table, *notes)


def _html_cell(row: Row, column: int) -> str:
    entries = [(name, line[column]) for name, line in row.lines]
    value = entries[0][1].value
    names = ["" if number == 0 or name == "difference" else f"{name}&nbsp;" for number, (name, _) in enumerate(entries)]
    lines = [
        f'<div class="{entry.kind}">{name}{_unbroken(entry.text)}</div>' for name, (_, entry) in zip(names, entries)
    ]
    sorts_by = "" if value is None else f' data-value="{value:.6g}"'
    return f"<td{sorts_by}>{''.join(lines)}</td>"


def _unbroken(text: str) -> str:
    return escape(text).replace(" ± ", "&nbsp;±&nbsp;")


def _warning(note: Note, mark: str = "") -> str:
    return f"{mark}Warning:{mark} " if note.kind == "warning" else ""
