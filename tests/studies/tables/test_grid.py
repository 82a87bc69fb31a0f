"""Grids: their labels, lines and notes in each form."""

import io
import re
from html.parser import HTMLParser
from typing import Any

from rich.console import Console

from avs_lightning.reporting.console import Screen
from avs_lightning.studies.tables.grid import Entry, Grid, Note, Row, spans, to_html, to_markdown, to_rich
from avs_lightning.studies.tables.latex import to_latex

EVIL = "<b>|$x_1$ & 5% {[red]}"


def row(*labels: str, lines: int = 1) -> Row:
    """Return a row of four columns."""
    named = {
        "ours": tuple(Entry("ours", f"{i}.00 ± 0.50", float(i)) for i in range(4)),
        "paper": tuple(Entry("paper", f"{i}.25", i + 0.25) for i in range(4)),
    }
    return Row(labels, tuple(named.items())[:lines])


def grid(lines: int = 2, rows: int = 4, notes: tuple[Note, ...] = ()) -> Grid:
    """Return a grid with two levels of labels on both sides, four rows and four columns."""
    labels = [(outer, inner) for outer in "AB" for inner in "xy"]
    made = tuple(row(*pair, lines=lines) for pair in labels[:rows])
    return Grid("Title", ("outer", "inner"), ("top", "bottom"), tuple(labels), made, notes)


EVIL_ROW = Row((EVIL,), (("ours", (Entry("ours", EVIL),)),))
EVIL_GRID = Grid(EVIL, (EVIL,), (EVIL,), ((EVIL,),), (EVIL_ROW,), (Note("fact", EVIL),))
NOTES = (Note("note", "read"), Note("warning", "mixed"), Note("claim", "claimed"), Note("case", "here"))


def printed(made: Grid, width: int = 100) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(to_rich(made))
    return [line.rstrip() for line in capture.get().splitlines()]


def latex_rows(text: str) -> list[list[str]]:
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\"))]
        for line in body.splitlines()
        if line.endswith(r"\\")
    ]


def test_neighbours_share_a_label_only_under_the_same_one_above() -> None:
    labels = [("A", "x"), ("A", "y"), ("B", "y"), ("B", "x")]
    assert list(spans(labels, 0)) == [("A", 2), ("B", 2)]
    assert list(spans(labels, 1)) == [("x", 1), ("y", 1), ("y", 1), ("x", 1)]


def test_markdown_joins_levels_and_names_lines() -> None:
    lines = to_markdown(grid(notes=NOTES)).splitlines()
    assert lines[0] == "**Title; columns: top, bottom**"
    assert lines[2] == "| outer | inner |  | A, x | A, y | B, x | B, y |"
    assert lines[4] == "| A | x | ours | 0.00 ± 0.50 | 1.00 ± 0.50 | 2.00 ± 0.50 | 3.00 ± 0.50 |"
    assert lines[5] == "|  |  | paper | 0.25 | 1.25 | 2.25 | 3.25 |"
    assert lines[-4:] == ["- read", "- **Warning:** mixed", "- claimed", "  - here"]
    assert to_markdown(grid(lines=1)).splitlines()[2] == "| outer | inner | A, x | A, y | B, x | B, y |"


def test_latex_lines_fill_all_columns_and_labels_span_their_groups() -> None:
    text = to_latex(grid(notes=NOTES))
    assert r"\begin{tabular}{lllrrrr}" in text
    top, outer, inner, *rows = latex_rows(text)
    assert top == ["", "", "", r"\multicolumn{4}{c}{top / bottom}"]
    assert outer == ["", "", "", r"\multicolumn{2}{c}{A}", r"\multicolumn{2}{c}{B}"]
    assert inner == ["outer", "inner", "", "x", "y", "x", "y"]
    assert re.findall(r".*cmidrule.*", text) == [r"\cmidrule(lr){4-7}", r"\cmidrule(lr){4-5} \cmidrule(lr){6-7}"]
    assert [line[:3] for line in rows[:4]] == [
        [r"\multirow[t]{4}{*}{A}", r"\multirow[t]{2}{*}{x}", "ours"],
        ["", "", "paper"],
        ["", r"\multirow[t]{2}{*}{y}", "ours"],
        ["", "", "paper"],
    ]
    assert rows[0][3] == r"0.00\,{\scriptsize $\pm$\,0.50}"
    assert all(len(line) == 7 for line in rows)
    assert len(rows) == 8
    assert text.count(r"\addlinespace") == 3
    assert "read\\par\n\\textbf{Warning:} mixed\\par\nclaimed\\par\n\\quad here" in text
    single = to_latex(grid(lines=1))
    assert latex_rows(single)[3][:2] == [r"\multirow[t]{2}{*}{A}", "x"]
    assert single.count(r"\addlinespace") == 1


class Cells(HTMLParser):
    """What a browser would see: the texts of each row's cells, and the tags that are open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.tags):
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".replace("\xa0", " ").strip()


def test_html_rows_stand_alone_and_sort_by_ours() -> None:
    text = to_html(grid(notes=NOTES))
    cells = Cells(text)
    assert cells.tags == []
    assert cells.rows[:2] == [["outer", "inner", "A", "B"], ["x", "y", "x", "y"]]
    assert cells.rows[3] == ["A", "y", *(f"{i}.00 ± 0.50 paper {i}.25" for i in range(4))]
    assert len(cells.rows) == 6
    assert '<th colspan="2" scope="col">B</th>' in text
    assert text.count('<td data-value="3"><div class="ours">3.00&nbsp;±&nbsp;0.50</div><div class="paper">') == 4
    for note in ('"note">read', '"warning">Warning: mixed', '"claim">claimed', '"case">here'):
        assert f"<p class={note}</p>" in text


def test_the_terminal_shows_the_same_and_folds_numbers_where_it_is_narrow() -> None:
    lines = printed(grid(notes=NOTES))
    assert lines[0] == "Title; columns: top, bottom"
    assert "A     x     ours  0.00 ±0.50 1.00 ±0.50 2.00 ±0.50 3.00 ±0.50" in " ".join(lines)
    assert lines[-4:] == ["read", "Warning: mixed", "claimed", "   here"]
    narrow = printed(grid(), width=46)
    assert any(line.split() == ["±0.50"] * 4 for line in narrow)
    assert not any("…" in line for line in narrow)


def test_signs_of_the_formats_are_escaped() -> None:
    assert r"| \<b>\|$x_1$ & 5% {[red]} | \<b>\|$x_1$ & 5% {[red]} |" in to_markdown(EVIL_GRID)
    assert "<b>" not in to_html(EVIL_GRID)
    assert Cells(to_html(EVIL_GRID)).rows == [[EVIL, EVIL]] * 2
    assert to_latex(EVIL_GRID).count(r"\textless{}b\textgreater{}|\$x\_1\$ \& 5\% \{[red]\}") == 7
    assert " ".join(printed(EVIL_GRID)).count(EVIL) == 7


def test_a_path_below_the_table_stays_whole() -> None:
    path = "/folder" * 20
    text = io.StringIO()
    note = Note("fact", f"overrides: data=s4 data.root={path} seed=1")
    Screen(file=text, width=60).print(to_rich(grid(notes=(note,))))
    assert f"data.root={path}" in text.getvalue().splitlines()
