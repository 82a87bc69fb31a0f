"""A cell: one run of a study, known by what can change its result."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from avs_lightning.errors import UserError

STORE = "cells"
"""The folder below that of all runs which holds the cells of every study: a cell that two of them ask for runs once."""
IRRELEVANT = (
    "name", "study", "paths", "logger", "launcher", "resume", "dry_run", "test", "probes", "probe_sounds",
    "callbacks.pictures", "callbacks.clips", "fusion.label", "init.checkpoint",
    "data.root", "data.workers", "data.persistent_workers", "data.pin_memory", "data.eval_batch_size",
    "data.batch_size", "data.synthetic.workers", "data.synthetic.progress",
    "trainer.accelerator", "trainer.strategy", "trainer.devices", "trainer.num_nodes", "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
)  # fmt: skip
"""Settings that cannot change a result. All others count, new ones included. Batch size, devices and nodes count as
their product, the global batch: losses, BatchNorm and scores are those of all processes together."""
FILES = ("encoder.weights", "audio_encoder.weights", "method.network.weights", "method.audio_encoder.weights")
"""Settings that may name a file, which counts by what it holds."""


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        name: as tables and dashboards show it.
        parameters: the axes' values, or in a sweep the settings that differ between its cells.
        seed: of the training.
        config: the resolved configuration, plain values; `paths.output_dir` is the folder.
        signature: of everything in the configuration that can change the result, the parent's included.
        folder: of the run.
        parent: the cell whose best checkpoint this one starts from.
        command: "train" or "eval".
    """

    name: str
    parameters: Mapping[str, str] = field(hash=False)
    seed: int
    config: Mapping[str, Any] = field(repr=False, compare=False)
    signature: str
    folder: Path
    parent: Cell | None = None
    command: str = "train"

    @property
    def processes(self) -> tuple[int, int]:
        """Devices on each node, and nodes."""
        return device_count(self.config["trainer"]), int(self.config["trainer"]["num_nodes"])


def build_cell(
    config: Mapping[str, Any],
    store: Path,
    name: str,
    parameters: Mapping[str, str],
    parent: Cell | None = None,
    command: str = "train",
) -> Cell:
    """Give a resolved configuration its signature and its folder in the store.

    Args:
        config: plain values; with a parent, `init.checkpoint` is set here.
        store: the folder that holds the cells of all studies.
        name: of the cell.
        parameters: of the cell.
        parent: the cell to start from.
        command: "train" or "eval".
    """
    config = copy.deepcopy(dict(config))
    if parent:
        config["init"]["checkpoint"] = str(parent.folder / "checkpoints" / "best.ckpt")
    signature = sign(config, parent, command)
    label = re.sub(r"[^\w.-]+", "_", str(config["name"])).strip("_") or command
    # What another name has trained is there already: a name cannot change a result.
    folder = next(iter(sorted(store.glob(f"*-{signature}"))), store / f"{label}-{signature}")
    config["paths"]["output_dir"] = str(folder)
    return Cell(name, dict(parameters), int(config["seed"]), config, signature, folder, parent, command)


def sign(config: Mapping[str, Any], parent: Cell | None = None, command: str = "train") -> str:
    """Return ten hex digits that change when a setting changes that can change the result, and with no other."""
    relevant = copy.deepcopy(dict(config))
    relevant["command"] = command
    if command == "train":
        trainer = relevant["trainer"]
        relevant["global_batch"] = relevant["data"]["batch_size"] * device_count(trainer) * int(trainer["num_nodes"])
        relevant["starts_from"] = parent.signature if parent else content(relevant["init"]["checkpoint"])
    else:
        relevant["checkpoint"] = content(relevant["checkpoint"])
    for key in FILES:
        node, last = _holder(relevant, key)
        if isinstance(node.get(last), str):
            node[last] = content(node[last])
    for key in IRRELEVANT:
        node, last = _holder(relevant, key)
        node.pop(last, None)
    text = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def content(file: str | None) -> str | None:
    """Return a hash of what a file holds; a name that is no file stands for itself."""
    path = Path(file) if file else None
    if path is None or not path.is_file():
        return file  # where it has to be a file, the run will say that there is none
    return _hash(path.resolve(), path.stat().st_mtime_ns)


def device_count(trainer: Mapping[str, Any]) -> int:
    """Return how many devices `trainer.devices` means on this machine.

    Raises:
        UserError: it means none.
    """
    devices = trainer["devices"]
    if str(devices) in ("auto", "-1"):
        import torch

        return max(1, torch.cuda.device_count()) if trainer["accelerator"] != "cpu" else 1
    text = ",".join(map(str, devices)) + "," if isinstance(devices, (list, tuple)) else str(devices)
    numbers = [part.strip() for part in text.split(",") if part.strip()]
    if not numbers or not all(number.isdigit() for number in numbers) or text == "0":
        raise UserError(f"trainer.devices={devices}: give a number of devices, auto, or a list of them, as [0,1]")
    return len(numbers) if "," in text else int(text)


def _holder(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """Return the settings that hold a dotted key, and its last part."""
    *path, last = key.split(".")
    node: Any = config
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}, last


@cache
def _hash(path: Path, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
