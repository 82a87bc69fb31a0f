"""The CSV files that say which clips a data set has."""

import csv
from collections.abc import Sequence
from pathlib import Path

from avs_lightning.errors import UserError, choose

SPLITS = ("train", "val", "test")


def read_rows(path: Path, columns: Sequence[str], id_column: str, optional: Sequence[str] = ()) -> list[dict[str, str]]:
    """Read a metadata CSV; every row has `columns`, a known `split` and an id that can name a file.

    Args:
        path: the file.
        columns: that it must have, with a value in each row.
        id_column: which of them names a clip.
        optional: columns that it may have besides.

    Raises:
        UserError: the file is missing or empty, lacks a column, or has a row with an unknown split, a missing value, or
            an id that is a path or repeats an earlier one.
    """
    if not path.is_file():
        raise UserError(f"metadata file missing: {path}; it lists the clips and comes with the data set")
    found, lines = _read(path)
    if missing := [column for column in columns if column not in found]:
        raise UserError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: "
            f"it must have {','.join(columns)}, it has {','.join(found) or 'nothing'}"
        )
    kept = [*columns, *(column for column in optional if column in found)]
    rows = [{column: (line[column] or "").strip() for column in kept} for line in lines]
    if not rows:
        raise UserError(f"{path} lists no clips: it has a header only")
    _check_rows(path, rows, id_column)
    return rows


def read_header(path: Path) -> list[str]:
    """The names of the columns."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[str], list[dict[str, str | None]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            return list(reader.fieldnames or []), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8 ({error})") from error


def _check_rows(path: Path, rows: list[dict[str, str]], id_column: str) -> None:
    first: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{path}, line {line}"
        if empty := [column for column, value in row.items() if not value]:
            raise UserError(f"{where}: no value for {', '.join(empty)}")
        choose(row["split"], SPLITS, f"{where}: split")
        for column in (id_column, "category"):
            if any(part in row.get(column, "") for part in ("/", "\\", "..", "\0")):
                raise UserError(f"{where}: {column} {row[column]!r} names a file or folder, so it cannot be a path")
        if row[id_column] in first:
            raise UserError(f"{where}: {id_column} {row[id_column]!r} stands in line {first[row[id_column]]} already")
        first[row[id_column]] = line
