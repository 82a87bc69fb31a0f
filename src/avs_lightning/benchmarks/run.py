"""What `avs bench` does: measure, print a table, write JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from avs_lightning.benchmarks import loading, log_mels, scoring, startup, tpavi, training_step
from avs_lightning.benchmarks.machine import describe_machine
from avs_lightning.benchmarks.measuring import Comparison, Measurement, Place, measure
from avs_lightning.errors import UserError, choose
from avs_lightning.files import write_whole

BENCHMARKS: dict[str, Callable[[Place, bool], Iterator[Comparison]]] = {
    "tpavi": tpavi.compare_forms,
    "tpavi_growth": tpavi.compare_sizes,
    "training_step": training_step.compare_forms,
    "f_score": scoring.compare_forms,
    "log_mel": log_mels.compare_forms,
    "loader": loading.compare_workers,
    "startup": startup.start_commands,
}
NETWORK = ("tpavi", "tpavi_growth", "training_step")


def run_benchmarks(rows: Sequence[str] | None, output: Path, quick: bool = False) -> list[dict[str, Any]]:
    """Measure, print a table, and write `output` after each row.

    On a GPU the network's rows are taken in float32 and bfloat16, at 4 and 16 clips a batch;
    on a CPU in float32 with one clip.

    Args:
        rows: names from `BENCHMARKS`; None for all.
        output: the JSON file: `machine` and `rows`.
        quick: tiny sizes and single calls, to see that everything runs; its numbers mean nothing.

    Returns:
        The rows: benchmark, setting, device, the two forms with their seconds, items a second and peak memory, `ratio`,
        and how it `reads`. A form that ran out of memory has None for its numbers, and so has its ratio; the other form
        is None where one is measured by itself.

    Raises:
        UserError: for a row that does not exist, and where `output` cannot be written.
    """
    chosen = list(BENCHMARKS) if rows is None else list(rows)
    for name in chosen:
        choose(name, BENCHMARKS, "benchmark")
    console, machine = Console(), describe_machine()
    results: list[dict[str, Any]] = []
    _write(output, machine, results)
    with console.status("") as status:
        for name in chosen:
            for place in _places(name):
                for comparison in BENCHMARKS[name](place, quick):
                    status.update(f"{name}: {comparison.setting}")
                    results.append(_row(name, comparison, place, quick))
                    _write(output, machine, results)
    console.print(benchmark_table(results, machine))
    return results


def benchmark_table(results: Sequence[dict[str, Any]], machine: dict[str, Any]) -> Table:
    """Lay out the rows of `run_benchmarks`."""
    title = f"{machine['gpu'] or machine['cpu']}, {machine['cores']} cores, {machine['date']}"
    table = Table(title=title, title_style="bold", header_style="bold")
    for column in ("benchmark", "setting", "form", "against"):
        table.add_column(column)
    table.add_column("ratio", justify="right")
    for row in results:
        lone = row["other"] is None
        ratio = "" if lone else "out of memory" if row["ratio"] is None else f"{row['ratio']:.3g}{row['reads']}"
        forms = ("" if row[side] is None else _cell(row[side], row["unit"]) for side in ("ours", "other"))
        table.add_row(row["benchmark"], row["setting"], *forms, ratio)
    return table


def _places(name: str) -> list[Place]:
    if not torch.cuda.is_available() or name in ("loader", "startup"):
        return [Place("cpu", "float32", 1)]
    if name not in NETWORK:
        return [Place("cuda", "float32", 16)]
    return [Place("cuda", dtype, batch) for batch in (4, 16) for dtype in ("float32", "bfloat16")]


def _row(name: str, comparison: Comparison, place: Place, quick: bool) -> dict[str, Any]:
    ours, *others = measure(comparison, place.device, quick)
    other = others[0] if others else None
    ratio, reads = None, "× faster" if comparison.growth is None else "× linear"
    if ours and other:
        ratio = other.seconds / ours.seconds if comparison.growth is None else ours.seconds / other.seconds
        ratio /= comparison.growth or 1
    return {
        "benchmark": name,
        "setting": comparison.setting,
        "device": place.device,
        "dtype": place.dtype,
        "unit": comparison.unit,
        "ours": _side(comparison.ours.form, ours, comparison.items),
        "other": comparison.other and _side(comparison.other.form, other, comparison.items),
        "ratio": ratio,
        "reads": reads,
    }


def _side(form: str, found: Measurement | None, items: int) -> dict[str, Any]:
    if found is None:
        return {"form": form, "seconds": None, "per_second": None, "peak_mb": None, "repeats": 0}
    return {
        "form": form,
        "seconds": found.seconds,
        "per_second": items / found.seconds,
        "peak_mb": found.peak_bytes / 1e6,
        "repeats": found.repeats,
    }


def _cell(side: dict[str, Any], unit: str) -> str:
    if side["seconds"] is None:
        return f"{side['form']}: out of memory"
    return f"{side['form']}: {side['seconds']:.3g} s ({side['per_second']:.3g} {unit}/s), {side['peak_mb']:.0f} MB"


def _write(output: Path, machine: dict[str, Any], results: list[dict[str, Any]]) -> None:
    try:
        write_whole(output, json.dumps({"machine": machine, "rows": results}, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write the benchmark's results to {output}: {error.strerror}") from error
