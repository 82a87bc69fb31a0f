"""The numbers that papers have published, each with its source, from the CSV files in `papers/`."""

import math
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from io import StringIO
from pathlib import PurePath

import pandas as pd

from avs_lightning.errors import UserError, choose

SCORE_COLUMNS = ("miou", "fscore")
_FOLDER = files("avs_lightning.studies.spec").joinpath("papers")


def published_names() -> list[str]:
    """Return the names of the published tables."""
    return sorted(PurePath(file.name).stem for file in _FOLDER.iterdir() if file.name.endswith(".csv"))


def published_table(name: str) -> pd.DataFrame:
    """Read a published table.

    Args:
        name: one of `published_names()`.

    Returns:
        A row a number. Columns: what sets the rows apart ("setting", "backbone", ...; text), "miou" in percent and
        "fscore" as a fraction where they were published, and "source".

    Raises:
        UserError: there is no such table.
    """
    return _read(choose(name, published_names(), "published")).copy()


def key_columns(published: pd.DataFrame) -> list[str]:
    """Return the columns that set the rows of a published table apart."""
    return [str(name) for name in published.columns if name not in (*SCORE_COLUMNS, "source")]


def published_score(published: pd.DataFrame, score: str, values: Mapping[str, Collection[str]]) -> float | None:
    """Look one number up.

    Args:
        published: as `published_table` returns it.
        score: "miou" or "fscore".
        values: per column the spellings that will do; a column that is not named must not matter.

    Returns:
        The number in the table's own unit; None where the table has none (of this score at all, perhaps), or has
        several that fit.
    """
    if score not in published:
        return None
    rows = published
    for column, spellings in values.items():
        rows = rows[rows[column].isin(list(spellings))]
    number = float(rows[score].iloc[0]) if len(rows) == 1 else math.nan
    return None if math.isnan(number) else number


def check_comparable(
    name: str,
    scores: Collection[str],
    axes: Collection[str],
    spelled: Mapping[str, Mapping[str, str] | str],
    where: str,
) -> None:
    """See that each cell of a study has at most one number in a published table.

    Args:
        name: of the table.
        scores: that the study shows; one that the table has will do.
        axes: of the study.
        spelled: `TableLayout.published_values`.
        where: the key in study.yaml, for error messages.

    Raises:
        UserError: the table lacks all of the scores or an axis, or tells apart what the study does not.
    """
    table = published_table(name)
    columns = key_columns(table)
    if not any(score in table.columns for score in scores):
        raise UserError(f"{where}: {name} has no {' or '.join(scores)}; set published: null, or another score")
    for axis in (*axes, *spelled):
        choose(axis, columns, f"{where}: column of {name}", "; without it the study sets published: null")
    for column, value in spelled.items():
        for text in [value] if isinstance(value, str) else value.values():
            choose(text, sorted(set(table[column])), f"{where}: {column} of {name}")
        if isinstance(value, str):
            table = table[table[column] == value]
    if axes and table.duplicated(list(axes)).any():
        loose = [column for column in columns if column not in (*axes, *spelled) and table[column].nunique() > 1]
        choices = ", ".join(sorted(table[loose[0]].unique()))
        raise UserError(
            f"{where}: {name} has several values of {loose[0]!r} ({choices}), which is no axis of this study; "
            f"say which with published_values: {{{loose[0]}: ...}}"
        )


@cache
def _read(name: str) -> pd.DataFrame:
    text = _FOLDER.joinpath(f"{name}.csv").read_text(encoding="utf-8")
    table = pd.read_csv(StringIO(text), dtype=str)
    present = [column for column in SCORE_COLUMNS if column in table.columns]
    return table.astype(dict.fromkeys(present, float))
