"""Tables of plain values as CSV files."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from avs_lightning.errors import UserError


def write_rows(rows: Sequence[Any], kind: type, path: Path) -> None:
    """Write a CSV file: a row for each of some dataclass instances, a column for each field of their `kind`.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
            table.writeheader()
            table.writerows(asdict(row) for row in rows)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
