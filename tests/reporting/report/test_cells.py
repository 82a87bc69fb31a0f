"""Which runs are one cell, and which cells stand together."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avs_lightning.reporting.report import Report, ReportRun
from avs_lightning.reporting.report.cells import cells_of
from avs_lightning.reporting.report.results import read_results

RunWriter = Callable[..., Path]


@pytest.mark.parametrize(
    "name, without",
    [
        ("unet seed 3", "unet"),
        ("fusion=none seed=3", "fusion=none"),
        ("unet, seed 3", "unet"),
        ("unet seed 31", "unet seed 31"),
        ("seed=3 fusion=none", "fusion=none"),
        ("seed 3", "seed 3"),
        ("linseed=3", "linseed=3"),
    ],
)
def test_a_name_without_its_seed(name: str, without: str) -> None:
    assert ReportRun(name, {}, 3, "done", Path()).cell == without


def test_seeds_of_one_setting_are_one_cell(run_folder: RunWriter) -> None:
    runs = [
        ReportRun(f"{decoder} seed {seed}", {"decoder": decoder}, seed, "done", run_folder(f"{decoder}{seed}"))
        for decoder in ("unet", "fpn")
        for seed in (0, 1)
    ]
    results = read_results(runs)
    assert [(cell.name, cell.runs) for cell in cells_of(results)] == [("unet", (0, 1)), ("fpn", (2, 3))]
    assert [result.label for result in results[:2]] == ["unet, seed 0", "unet, seed 1"]


def test_the_same_seed_twice_is_no_second_seed(run_folder: RunWriter) -> None:
    runs = [ReportRun("unet", {}, seed, "done", run_folder(f"{n}")) for n, seed in enumerate((0, 0, 1))]
    cells = cells_of(read_results(runs))
    assert [cell.runs for cell in cells] == [(0, 2), (1,)]
    assert len({cell.name for cell in cells}) == 2


def test_cells_on_other_clips_stand_apart_and_parents_last(study: Callable[..., Report]) -> None:
    report = study(cells=3)
    runs = [replace(report.runs[0], parent=True), *report.runs[1:]]
    metrics = runs[1].folder / "metrics.json"
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"fingerprint": "ba9876543210"}))
    cells = cells_of(read_results(runs))
    assert [cell.runs[0] for cell in cells] == [1, 2, 3, 0]
    assert [cell.parent for cell in cells] == [False, False, False, True]
    assert cells[-1].parameters == {}
    assert len({cell.group for cell in cells}) == 4  # of one that has not begun it is not known on which it will be
    assert all(cell.group.startswith("ms3") for cell in (*cells[:2], cells[3]))
