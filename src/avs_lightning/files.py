"""Files that are either whole or not there, and tables of plain values as CSV files."""

import csv
import errno
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO

from avs_lightning.errors import UserError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Write beside `path`, then rename: a kill or a full disk leaves the previous file whole.

    Args:
        path: of the file.
        durable: flush to disk first, against a failing machine; too slow for thousands of files.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):  # the reason why is being said already
            part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Write a file by `replacing`, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_rows(rows: Sequence[Any], kind: type, path: Path) -> None:
    """Write a CSV file: a row for each of some dataclass instances, a column for each field of their `kind`.

    Raises:
        UserError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(kind)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    try:
        write_whole(path, text.getvalue())
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
