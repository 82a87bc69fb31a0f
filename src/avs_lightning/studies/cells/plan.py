"""What a study's folder remembers: its cells, parents first, and what its table shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import STORE, Cell
from avs_lightning.studies.spec.table_layout import TableLayout

PLAN = "plan.json"
STUDIES = "studies"
"""The folder below that of all runs which holds those of studies and sweeps."""


@dataclass(frozen=True)
class Plan:
    """A study on disk: its table needs no configuration.

    Attributes:
        study: name of the study's folder.
        title: of the table.
        question: what it asks.
        synthetic: whether its clips are drawn.
        overrides: what was given on the command line.
        cells: every cell and seed, parents before their children.
        table: `table:` of study.yaml; None for a sweep.
        planned: when, ISO 8601.
    """

    study: str
    title: str
    question: str
    synthetic: bool
    overrides: Sequence[str]
    cells: Sequence[Cell]
    table: Mapping[str, Any] | None = None
    planned: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def own(self) -> list[Cell]:
        """The cells of its table."""
        return [cell for cell in self.cells if cell.own]

    @property
    def layout(self) -> TableLayout:
        """How its table is laid out; that of a sweep has a row a cell.

        Raises:
            UserError: the plan is damaged.
        """
        axes = tuple(dict.fromkeys(key for cell in self.own for key in cell.parameters))
        if self.table:
            return TableLayout.parse(self.table, axes, f"{PLAN} of {self.study}")
        return TableLayout(rows=axes or ("cell",), columns=())

    def states(self) -> dict[str, State]:
        """Return the state of each cell by its signature; what waits for a failed parent is blocked."""
        states: dict[str, State] = {}
        for cell in self.cells:
            states[cell.signature] = Run(cell.folder).state
            above = states.get(cell.parent.signature) if cell.parent else None
            if above in (State.FAILED, State.BLOCKED) and states[cell.signature] != State.DONE:
                states[cell.signature] = State.BLOCKED
        return states

    def save(self, folder: Path) -> None:
        """Write plan.json into the study's folder."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = ("name", "parameters", "seed", "signature", "command", "own")
        cells = [
            {
                **{name: getattr(cell, name) for name in plain},
                "folder": cell.folder.name,
                "parent": cell.parent and cell.parent.signature,
            }
            for cell in self.cells
        ]
        write_whole(folder / PLAN, json.dumps({**content, "cells": cells}, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read plan.json from a study's folder, which is two below that of all runs.

        Raises:
            UserError: it is missing or damaged.
        """
        file = folder / PLAN
        if not file.is_file():
            raise UserError(f"{folder} holds no study: it has no {PLAN}, which avs study run writes")
        try:
            content = json.loads(file.read_text())
            cells: dict[str, Cell] = {}
            for cell in content["cells"]:
                place = {"folder": folder.parents[1] / STORE / cell["folder"], "config": {}}
                parent = cells[cell["parent"]] if cell.get("parent") else None
                cells[cell["signature"]] = Cell(**{**cell, **place, "parent": parent})
            return cls(**{**content, "cells": list(cells.values())})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{file} is damaged ({error}); the same command that ran the study writes it anew, and no cell is lost"
            ) from error


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
