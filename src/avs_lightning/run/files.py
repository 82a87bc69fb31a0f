"""The files of a run folder, read without trusting them: what is missing or damaged is noted, never raised."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class RunFiles:
    """Reads the files of one run folder.

    Attributes:
        missing: the names of the files that were asked for and are not there.
        damaged: a line for each file that is there and cannot be read, or not whole: which, and why.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.missing: list[str] = []
        self.damaged: list[str] = []

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a JSON or YAML file that holds a mapping, or an empty one."""
        return self._parsed(name, dict, _yaml if name.endswith(".yaml") else json.loads) or {}

    def entries(self, name: str) -> list[dict[str, Any]]:
        """Return the mappings of a JSON file that holds a list of them."""
        found = self._parsed(name, list, json.loads) or []
        kept = [entry for entry in found if isinstance(entry, dict)]
        if len(kept) < len(found):
            self.damaged.append(f"{name}: {len(found) - len(kept)} of {len(found)} entries are no mappings")
        return kept

    def rows(self, name: str, key: str) -> list[dict[str, str]]:
        """Return the whole rows of a CSV file that has a column `key`, by the names of its columns."""
        text = self._read_text(name)
        if text is None:
            return []
        try:
            header, *lines = list(csv.reader(io.StringIO(text))) or [[]]
            if key not in header:
                raise csv.Error(f"has no column {key}")
        except csv.Error as error:
            self.damaged.append(f"{name}: {error}")
            return []
        whole = [dict(zip(header, line)) for line in lines if len(line) == len(header)]
        if len(whole) < len(lines):
            self.damaged.append(f"{name}: {len(lines) - len(whole)} of {len(lines)} rows are cut or torn")
        return whole

    def text(self, name: str) -> str:
        """Return a file's text, or an empty one."""
        return self._read_text(name) or ""

    def data(self, name: str) -> bytes | None:
        """Return a file's bytes, or None."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            self.missing.append(name)
        except OSError as error:
            self.damaged.append(f"{name}: {error.strerror or error}")
        return None

    def _read_text(self, name: str) -> str | None:
        data = self.data(name)
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError as error:
            self.damaged.append(f"{name}: no UTF-8 text at byte {error.start}")
        return None

    def _parsed(self, name: str, kind: type[T], parse: Callable[[str], Any]) -> T | None:
        text = self._read_text(name)
        if text is None:
            return None
        try:
            value = parse(text)
        except (ValueError, RecursionError) as error:
            self.damaged.append(f"{name}: {' '.join(str(error).split())}")
            return None
        if isinstance(value, kind):
            return value
        self.damaged.append(f"{name}: holds no {'mapping' if kind is dict else 'list'}")
        return None


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
