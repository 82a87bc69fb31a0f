"""The cells of a study on disk: which there are, and how far each has come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.run import CONFIG
from avs_lightning.sources import code_version
from avs_lightning.studies.cells.cell import Cell

STUDIES = "studies"


@dataclass(frozen=True)
class PlannedCell:
    """A line of plan.json: a cell as the study's folder remembers it; `parent` is a signature."""

    name: str
    parameters: Mapping[str, str]
    seed: int
    signature: str
    folder: str
    parent: str | None = None
    in_table: bool = True
    command: str = "train"


@dataclass(frozen=True)
class Plan:
    """What a study's folder remembers of it, so that its table needs no configuration.

    Attributes:
        study: name of the study's folder.
        title: of the table.
        question: what it asks.
        synthetic: whether its clips are drawn.
        overrides: what was given on the command line.
        cells: every cell and seed, parents before their children.
        table: `layout` as study.yaml has it, and `axes` with their values; None for a sweep.
    """

    study: str
    title: str
    question: str
    synthetic: bool
    overrides: Sequence[str]
    cells: Sequence[PlannedCell]
    table: Mapping[str, Any] | None = None
    planned: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def save(self, folder: Path) -> None:
        """Write plan.json into the study's folder."""
        write_whole(folder / "plan.json", json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read plan.json.

        Raises:
            UserError: it is missing or damaged.
        """
        file = folder / "plan.json"
        if not file.is_file():
            raise UserError(f"{folder} holds no study: it has no plan.json, which avs study run writes")
        try:
            content = json.loads(file.read_text())
            return cls(**{**content, "cells": [PlannedCell(**cell) for cell in content["cells"]]})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{file} is damaged ({error}); the same command that ran the study writes it anew, and no cell is lost"
            ) from error


def plan_of(
    cells: Sequence[Cell],
    study: str,
    title: str,
    question: str,
    synthetic: bool,
    overrides: Sequence[str],
    table: Mapping[str, Any] | None = None,
    in_table: Sequence[Cell] = (),
) -> Plan:
    """Return the plan of `cells`; those of `in_table` are the study's own, the others their parents."""
    shown = {cell.signature for cell in in_table or cells}
    planned = [
        PlannedCell(
            name=cell.name,
            parameters=cell.parameters,
            seed=cell.seed,
            signature=cell.signature,
            folder=cell.folder.name,
            parent=cell.parent.signature if cell.parent else None,
            in_table=cell.signature in shown,
            command=cell.command,
        )
        for cell in cells
    ]
    return Plan(study, title, question, synthetic, list(overrides), planned, table)


def with_parents(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells, each after its parent, each once.

    Raises:
        UserError: two cells would compute the same.
    """
    ordered: dict[str, Cell] = {}
    for cell in cells:
        same = ordered.get(cell.signature)
        if same and same in cells:
            raise UserError(
                f"two cells compute the same: {same.name} and {cell.name}; what sets them apart was overridden, or "
                "cannot change the result (devices with the same global batch, workers, paths, logging), or is "
                "data.root: cells on other data under the same settings go to a folder of their own, by a command of "
                "their own (paths.runs_dir=FOLDER)"
            )
        if cell.parent:
            ordered.setdefault(cell.parent.signature, cell.parent)
        ordered[cell.signature] = cell
    return sorted(ordered.values(), key=lambda cell: cell.parent is not None)


def present_code() -> str:
    """Return the hash of the code that computes results."""
    return str(code_version()["results"])


def write_config(cell: Cell) -> None:
    """Put a cell's configuration into its folder, from where its process reads it."""
    write_whole(cell.folder / CONFIG, yaml.safe_dump(dict(cell.config), sort_keys=False, allow_unicode=True))


@contextmanager
def locked_study(folder: Path) -> Iterator[None]:
    """Hold a study for one command.

    Raises:
        UserError: another command runs it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"another command is running the study {folder.name} (it holds {folder / '.lock'}): wait for it "
            f"(avs study status {folder.name}), or stop it"
        ) from error
    try:
        yield
    finally:
        lock.release()
