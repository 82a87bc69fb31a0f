"""For the tests of runs that go on: what two runs have left, compared bit for bit."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

MEASURED = ("TrainingCost", "Timer", "MetricsCSV")


@pytest.fixture(scope="session")
def differences() -> Callable[[Path, Path], list[str]]:
    """`differences(folder, other)` names what sets two finished runs apart, but for what the clock has measured."""
    return _differences


def _differences(folder: Path, other: Path) -> list[str]:
    found = []
    for name in ("best", "last"):
        mine, its = (dict(_leaves(_checkpoint(run, name))) for run in (folder, other))
        unequal = [key for key in {**mine, **its} if not _same(mine.get(key), its.get(key))]
        if unequal:
            found.append(f"{len(unequal)} of {len(its)} entries of {name}.ckpt ({unequal[0]}, ...)")
    for name in ("scores", "best", "epochs", "steps"):
        mine, its = (json.loads((run / "metrics.json").read_text()).get(name) for run in (folder, other))
        if mine != its:
            found.append(f"{name} of metrics.json")
    if not _computed(folder).equals(_computed(other)):
        found.append("metrics.csv")
    return found


def _computed(folder: Path) -> pd.DataFrame:
    """What metrics.csv holds, without what the clock and the machine have measured."""
    table = pd.read_csv(folder / "metrics.csv", dtype=str)
    return table.loc[:, ~table.columns.str.startswith("cost/")]


def _checkpoint(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    for key in ("loops", "datamodule_hyper_parameters"):
        content.pop(key, None)
    callbacks = content.get("callbacks", {})
    content["callbacks"] = {key: state for key, state in callbacks.items() if not key.startswith(MEASURED)}
    return content


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{prefix}.{key}")
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{prefix}.{index}")
    else:
        yield prefix, node


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)
