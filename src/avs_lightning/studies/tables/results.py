"""What the cells of a study have left, as data frames: tables and reports are made from these files alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from avs_lightning.data.sound_names import OWN
from avs_lightning.run import Run
from avs_lightning.studies.cells.cell import STORE
from avs_lightning.studies.cells.plan import Plan, PlannedCell
from avs_lightning.training.signature import clip_settings


def cell_folder(cell: PlannedCell, runs: Path) -> Path:
    """Return the run folder of a planned cell."""
    return runs / STORE / cell.folder


def states_in(plan: Plan, runs: Path) -> dict[str, str]:
    """Return the state of each cell by its signature; what waits for a failed parent is blocked."""
    states: dict[str, str] = {}
    for cell in plan.cells:
        state = str(Run(cell_folder(cell, runs)).state)
        if state != "done" and cell.parent and states.get(cell.parent) in ("failed", "blocked"):
            state = "blocked"
        states[cell.signature] = state
    return states


def results_of(plan: Plan, runs: Path) -> pd.DataFrame:
    """Return a row for each cell and seed of the study's own.

    Returns:
        A column for each axis, then seed, state, note (why it failed), folder, signature, the scores of the true sound
        as fractions (`miou_reference`, ...), and those of each other sound as `<sound>/<score>`; `synthetic`, whether
        the clips were drawn (None where the run does not say), and the `encoder` that was trained.
    """
    states, rows = states_in(plan, runs), []
    for cell in plan.cells:
        if not cell.in_table:
            continue
        folder = cell_folder(cell, runs)
        row: dict[str, Any] = {**cell.parameters, "seed": cell.seed, "state": states[cell.signature]}
        row |= {"name": cell.name, "note": Run(folder).failure, "folder": folder, "signature": cell.signature}
        metrics = (Run(folder).metrics or {}) if row["state"] == "done" else {}
        if metrics:
            row |= {"synthetic": metrics.get("synthetic"), "encoder": _encoder(folder)}
        for sound, scores in (metrics.get("scores") or {}).items():
            row |= {name if sound == OWN else f"{sound}/{name}": value for name, value in scores.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def facts_of(plan: Plan, runs: Path) -> dict[str, str]:
    """Return what stands below a table, collected from the cells that are done: more than one value is told apart."""
    folders = [cell_folder(cell, runs) for cell in plan.cells if cell.in_table]
    seeds = sorted({cell.seed for cell in plan.cells if cell.in_table})
    facts = run_facts([folder for folder in folders if Run(folder).metrics is not None])
    return {**facts, "seeds": ", ".join(map(str, seeds))}


def run_facts(folders: Sequence[Path]) -> dict[str, str]:
    """Return data, fingerprint, code, machine and date of runs: more than one value is told apart."""
    found: dict[str, list[str]] = {name: [] for name in ("data", "fingerprint", "code", "machine", "date")}
    for folder, asked in zip(folders, _asked_data(folders)):
        metrics, environment = Run(folder).metrics or {}, Run(folder).environment
        data = str(metrics.get("data") or _clip_settings(folder).get("name", ""))
        found["data"].append(data)
        if data:
            found["fingerprint"].append(f"{data}{asked} {metrics.get('fingerprint', 'unknown')}")
        found["code"].append(_code(metrics.get("code") or environment.get("code", {})))
        found["machine"].append(_machine(environment, metrics))
        found["date"].append(str(environment.get("started", ""))[:10])
    return {name: _distinct(values) for name, values in found.items() if any(values)}


def _asked_data(folders: Sequence[Path]) -> list[str]:
    """Say of each run what sets the clips that it asked for apart from the others': these differ by intent."""
    asked = [_clip_settings(folder) for folder in folders]
    said = []
    for data in asked:
        alike = [other for other in asked if other.get("name") == data.get("name")]
        apart = sorted(key for key, value in data.items() if any(other.get(key) != value for other in alike))
        said.append(f" ({', '.join(f'{key}={data[key]}' for key in apart)})".replace(";", ",") if apart else "")
    return said


def _clip_settings(folder: Path) -> dict[str, Any]:
    data = Run(folder).config.get("data")
    return clip_settings(data if isinstance(data, dict) else {})


def _encoder(folder: Path) -> str:
    with suppress(KeyError, TypeError):
        return str(Run(folder).config["encoder"]["name"])
    return ""


def _code(code: Any) -> str:
    if not isinstance(code, dict) or not code:
        return ""
    commit = (
        f", commit {str(code['commit'])[:7]}{' with changes' if code.get('dirty') else ''}" if "commit" in code else ""
    )
    return f"{code.get('version', '?')} ({code.get('results', 'unknown')}{commit})"


def _machine(environment: dict[str, Any], metrics: dict[str, Any]) -> str:
    cost, gpus, memory = metrics.get("cost"), environment.get("gpus"), environment.get("memory_gib")
    device = str(cost.get("device", "cpu")) if isinstance(cost, dict) else "cpu"
    if isinstance(gpus, list) and gpus and device != "cpu":
        return f"{len(gpus)} × {gpus[0]}"
    if "cores" not in environment:
        return ""
    return f"{environment['cores']} CPU cores, {memory if isinstance(memory, int | float) else 0:.0f} GiB"


def _distinct(values: Sequence[str]) -> str:
    return "; ".join(sorted({value for value in values if value}))
