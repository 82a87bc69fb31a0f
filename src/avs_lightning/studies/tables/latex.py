"""A grid as a LaTeX table in the style of booktabs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from avs_lightning.studies.tables.grid import Grid, spans

SIGNS = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
        "±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$", "≥": r"$\geq$", "\n": " ",
    }
)  # fmt: skip


def to_latex(grid: Grid) -> str:
    """Write a grid as a `table` environment; it needs the packages booktabs and multirow."""
    before = {"warning": r"\textbf{Warning:} ", "case": r"\quad "}
    notes = [before.get(note.kind, "") + _tex(note.text) for note in grid.notes]
    lines = [
        r"% needs \usepackage{booktabs,multirow}",
        r"\begin{table}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{_tex(grid.title)}}}",
        rf"\begin{{tabular}}{{{'l' * len(grid.stub)}{'r' * len(grid.columns)}}}",
        r"\toprule",
        *_head(grid),
        r"\midrule",
        *_body(grid),
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip\begin{minipage}{\linewidth}\scriptsize\raggedright",
        "\\par\n".join(notes),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _head(grid: Grid) -> Iterator[str]:
    """The names of the column axes, then a line for each, with rules under the groups; the last names the row axes."""
    if not grid.column_axes:
        yield _line([*map(_tex, grid.stub), *(_tex(" ".join(labels)) for labels in grid.columns)])
        return
    groups = [(" / ".join(grid.column_axes), len(grid.columns))]
    for level in range(len(grid.column_axes)):
        yield _line([""] * len(grid.stub) + [rf"\multicolumn{{{n}}}{{c}}{{{_tex(text)}}}" for text, n in groups])
        ends = list(itertools.accumulate((n for _, n in groups), initial=len(grid.stub)))
        yield " ".join(rf"\cmidrule(lr){{{start + 1}-{end}}}" for start, end in itertools.pairwise(ends))
        groups = list(spans(grid.columns, level))
    yield _line([*map(_tex, grid.stub), *(_tex(text) for text, n in groups for _ in range(n))])


def _body(grid: Grid) -> Iterator[str]:
    """The rows; a label stands once for all rows and lines that share it."""
    paths = [row.labels for row in grid.rows for _ in row.lines]
    labels = [_multirows(paths, level) for level in range(len(grid.row_axes))]
    printed = 0
    for index, row in enumerate(grid.rows):
        if index and (len(row.lines) > 1 or row.labels[:-1] != grid.rows[index - 1].labels[:-1]):
            yield r"\addlinespace"
        for name, entries in row.lines:
            stub = [*(level[printed] for level in labels), _tex(name)][: len(grid.stub)]
            yield _line([*stub, *(_entry(entry.text) for entry in entries)])
            printed += 1


def _multirows(paths: Sequence[tuple[str, ...]], level: int) -> list[str]:
    cells: list[str] = []
    for text, count in spans(paths, level):
        cells += [rf"\multirow[t]{{{count}}}{{*}}{{{_tex(text)}}}" if count > 1 else _tex(text), *[""] * (count - 1)]
    return cells


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _tex(text: str) -> str:
    return text.translate(SIGNS)


def _entry(text: str) -> str:
    """Set what follows the mean small: the table of two backbones, two settings and seven columns fills a page."""
    mean, spread, rest = text.partition(" ± ")
    return rf"{_tex(mean)}\,{{\scriptsize $\pm$\,{_tex(rest)}}}" if spread else _tex(text)
