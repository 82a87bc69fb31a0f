"""A cell: one run of a study, known by what can change its result."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avs_lightning.run.names import BEST
from avs_lightning.training.devices import device_count
from avs_lightning.training.signature import relevant_settings

STORE = "cells"
"""The folder below that of all runs which holds the cells of every study: a cell that two of them ask for runs once."""


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        name: as tables and dashboards show it.
        parameters: the axes' values, or in a sweep the settings that differ between its cells.
        seed: of the training.
        config: the resolved configuration, plain values; `paths.output_dir` is the folder. Empty in a cell that a plan
            remembers: where it has begun, its folder holds it.
        signature: of everything in the configuration that can change the result, the parent's included.
        folder: of the run.
        parent: the cell whose best checkpoint this one starts from.
        command: "train" or "eval".
        own: the study's own; another is there for these to start from.
    """

    name: str
    parameters: Mapping[str, str] = field(hash=False)
    seed: int
    config: Mapping[str, Any] = field(repr=False, compare=False)
    signature: str
    folder: Path
    parent: Cell | None = None
    command: str = "train"
    own: bool = field(default=True, compare=False)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.folder.name

    @property
    def processes(self) -> tuple[int, int]:
        """Devices on each node, and nodes."""
        return device_count(self.config["trainer"]), int(self.config["trainer"]["num_nodes"])


def build_cell(
    config: Mapping[str, Any],
    name: str,
    parameters: Mapping[str, str],
    parent: Cell | None = None,
    command: str = "train",
    own: bool = True,
) -> Cell:
    """Give a resolved configuration its signature and its folder in the store of `paths.runs_dir`.

    Args:
        config: plain values; of `paths.output_dir`, and with a parent of `init.checkpoint`, the cell has its own.
        name: of the cell.
        parameters: of the cell.
        parent: the cell to start from.
        command: "train" or "eval".
        own: whether it is the study's own.
    """
    signature, store = sign(config, parent, command), Path(config["paths"]["runs_dir"]).resolve() / STORE
    label = re.sub(r"[^\w.-]+", "_", str(config["name"])).strip("_") or command
    # What another name has trained is there already: a name cannot change a result.
    folder = next(iter(sorted(store.glob(f"*-{signature}"))), store / f"{label}-{signature}")
    config = {**config, "paths": {**config["paths"], "output_dir": str(folder)}}
    if parent:
        config["init"] = {**config["init"], "checkpoint": str(parent.folder / BEST)}
    return Cell(name, dict(parameters), int(config["seed"]), config, signature, folder, parent, command, own)


def sign(config: Mapping[str, Any], parent: Cell | None = None, command: str = "train") -> str:
    """Return ten hex digits that change when a setting changes that can change the result, and with no other."""
    relevant = relevant_settings(config, command, parent.signature if parent else None) | {"command": command}
    text = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
