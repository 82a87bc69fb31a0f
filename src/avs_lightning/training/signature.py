"""Which settings can change what a run computes: what a cell is known by, and what a run that goes on has to keep."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from avs_lightning.training.devices import process_count

IRRELEVANT = (
    "name", "label", "study", "paths", "logger", "launcher", "resume", "dry_run", "test", "probes", "probe_sounds",
    "callbacks.progress_bar", "callbacks.pictures", "callbacks.clips", "callbacks.gradient_norm",
    "callbacks.learning_rate", "callbacks.history", "init.checkpoint", "init.parent",
    "data.root", "data.workers", "data.persistent_workers", "data.pin_memory", "data.eval_batch_size",
    "data.batch_size", "data.synthetic.workers", "data.synthetic.progress",
    "trainer.accelerator", "trainer.strategy", "trainer.devices", "trainer.num_nodes", "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
)  # fmt: skip
"""Settings that cannot change a result. All others count, new ones included. Batch size, devices and nodes count as
their product, the global batch: losses, BatchNorm and scores are those of all processes together."""


def relevant_settings(
    config: Mapping[str, Any], command: str = "train", starts_from: str | None = None
) -> dict[str, Any]:
    """Return a copy of a resolved configuration with nothing in it that cannot change the result; files are hashes.

    "global_batch" and "starts_from" (of `init.checkpoint`) stand for what cannot be compared by itself.

    Args:
        config: plain values.
        command: "train" or "eval".
        starts_from: stands for `init.checkpoint`; None: a hash of that file.
    """
    relevant = copy.deepcopy(dict(config))
    if command == "train":
        relevant["global_batch"] = relevant["data"]["batch_size"] * process_count(relevant["trainer"])
        relevant["starts_from"] = starts_from or content(relevant["init"]["checkpoint"])
    else:
        relevant["checkpoint"] = content(relevant["checkpoint"])
    for key, value in leaves(relevant):
        if key.endswith(".weights") and isinstance(value, str):  # may name a file, which counts by what it holds
            node, last = holder(relevant, key)
            node[last] = content(value)
    for key in IRRELEVANT:
        node, last = holder(relevant, key)
        node.pop(last, None)
    return relevant


def clip_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides which clips there are: the settings of the data, by dotted key, less those that do not."""
    same = ("seed", *(key.removeprefix("data.") for key in IRRELEVANT if key.startswith("data.")))
    return {key: value for key, value in leaves(data) if key not in same}


def leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a configuration with its dotted key."""
    for name, value in list(settings.items()):
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def holder(config: Mapping[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """Return the settings that hold a dotted key, and its last part."""
    *path, last = key.split(".")
    node: Any = config
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}, last


def content(file: str | None) -> str | None:
    """Return a hash of what a file holds; a name that is no file stands for itself."""
    path = Path(file) if file else None
    if path is None or not path.is_file():
        return file  # where it has to be a file, the run will say that there is none
    return _hash(path.resolve(), path.stat().st_mtime_ns)


@cache
def _hash(path: Path, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
