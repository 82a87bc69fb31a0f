"""`avs runs`: what has been run, newest first."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan


@pytest.fixture
def runs(tmp_path: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of all runs: a run that is done, one cut off, one that failed, a sweep of two cells, a damaged study."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AVS_RUNS_DIR", raising=False)
    folder = tmp_path / "runs"
    for name, started in (("done", "2026-01-02"), ("cut", "2026-01-03"), ("cells/one-sign", "2026-01-04")):
        shutil.copytree(tiny_run, folder / name)
        environment = json.loads((folder / name / "environment.json").read_text())
        (folder / name / "environment.json").write_text(json.dumps(environment | {"started": f"{started}T12:00:00"}))
    (folder / "cut" / "metrics.json").unlink()
    cells = [Cell(name, {"fusion": name}, 0, {}, name, folder / "cells" / f"{name}-sign") for name in ("one", "two")]
    shutil.copytree(folder / "cells" / "one-sign", folder / "cells" / "two-sign")
    (folder / "cells" / "two-sign" / "metrics.json").unlink()
    (folder / "cells" / "two-sign" / "failed.json").write_text(json.dumps({"why": "no memory [gpu] left"}))
    plan = Plan("night-1", "A sweep", "", False, [], cells, planned="2026-01-05T12:00:00")
    plan.save(folder / "studies" / "night-1")
    (folder / "studies" / "broken").mkdir()
    (folder / "studies" / "broken" / "plan.json").write_text("{")
    return folder


def test_the_list_is_newest_first_with_state_scores_and_a_folder_that_can_be_copied(
    avs: Callable, runs: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    ended = avs("runs")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert [line.strip() for line in lines[1::2]] == [
        "runs/studies/night-1", "runs/cut", "runs/done", "runs/studies/broken",
    ]  # fmt: skip
    sweep, cut, done, broken = lines[::2]
    assert "sweep" in sweep
    assert "1 of 2 done, 1 failed" in sweep
    assert "cut off" in cut
    assert "plan.json is damaged" in broken
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert f"{metrics['epochs']}/{metrics['epochs']} epochs" in done
    assert f"mIoU % {100 * metrics['scores']['true']['miou_frame']:.1f}" in done


def test_the_cells_of_a_sweep_and_why_one_failed(avs: Callable, runs: Path) -> None:
    out = avs("runs", "--cells").out
    assert "runs/cells/one-sign" in out
    assert "no memory [gpu] left" in out
    assert out.count("runs/cells/") == 2


def test_as_csv(avs: Callable, runs: Path) -> None:
    assert avs("runs", str(runs), "--cells", "--csv", "deep/list.csv").code == 0
    with Path("deep/list.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["state"] for row in rows if row["kind"] == "run"} == {"done", "cut off", "failed"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["nowhere"], "there is no folder nowhere"), (["empty"], "neither a run"), (["--csv", "runs"], "runs cannot")],
)
def test_what_cannot_be_listed(avs: Callable, runs: Path, words: list[str], reason: str) -> None:
    Path("empty").mkdir()
    ended = avs("runs", *words)
    assert ended.code == 1
    assert reason in ended.err
