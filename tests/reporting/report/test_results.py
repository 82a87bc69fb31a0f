"""What is read of a run."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avs_lightning.reporting.report import ReportRun
from avs_lightning.reporting.report.results import read_results

RunWriter = Callable[..., Path]


def run_in(folder: Path, seed: int = 0, state: str = "done") -> ReportRun:
    return ReportRun("a cell", {"stages": "4"}, seed, state, folder)


def test_a_finished_run(run_folder: RunWriter) -> None:
    (result,) = read_results([run_in(run_folder("one", miou=0.4, epochs=4))])
    assert result.label == "a cell, seed 0"
    assert (result.data, result.fingerprint, result.synthetic) == ("ms3", "0123456789ab", None)
    assert result.command == "avs train 'fusion=[a b]'"
    assert result.log.splitlines()[-1] == "the end"
    assert result.score("miou_frame") == 0.4
    assert result.score("miou_frame", "muted") == pytest.approx(0.08)
    assert result.score("miou_frame", "thunder") is None
    assert result.cost["epochs"] == 4
    assert result.cost["clips_per_second"] == 100
    assert [epoch for epoch, _ in result.curves["miou_frame"]] == [1, 2, 3, 4]
    assert result.curves["miou_frame"][-1][1] == pytest.approx(0.4)
    assert [epoch for epoch, _ in result.curves["loss"]] == [1, 2, 3, 4]
    assert set(result.categories()) == {"cat_meowing", "race_car"}
    assert set(result.categories()["race_car"]) == {"miou", "fscore", "false_positive_rate"}
    assert result.settings["encoder"] == {"name": "resnet"}
    assert result.settings["environment"]["packages"] == {"torch": "2"}
    assert "started" not in result.settings["environment"]
    assert result.settings["data set's fingerprint"] == "0123456789ab"
    assert not result.files.missing
    assert not result.files.damaged


def test_a_run_that_never_started_is_empty(tmp_path: Path) -> None:
    (result,) = read_results([run_in(tmp_path / "never", state="new")])
    assert not result.settings
    assert not result.scores
    assert result.fraction is None
    assert "metrics.json" in result.files.missing


def test_a_run_without_costs_and_clips(run_folder: RunWriter) -> None:
    folder = run_folder("old")
    metrics = json.loads((folder / "metrics.json").read_text())
    for name in ("cost", "fingerprint", "best", "code"):
        del metrics[name]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "clips.csv").unlink()
    (result,) = read_results([run_in(folder)])
    assert result.cost == {"epochs": 5}
    assert result.categories() == {}


def test_values_of_a_wrong_kind_are_left_out(run_folder: RunWriter) -> None:
    folder = run_folder("wrong")
    scores = {"true": {"miou_frame": "x", "fscore_frame": None, "miou_dataset": 0.5}, "muted": [1]}
    (folder / "metrics.json").write_text(json.dumps({"scores": scores, "cost": 3, "epochs": True}))
    (result,) = read_results([run_in(folder)])
    assert result.scores == {"true": {"miou_dataset": 0.5}, "muted": {}}
    assert result.cost == {}


@pytest.mark.parametrize("first", [0, 1])  # earlier versions counted from zero
def test_an_epoch_that_was_done_again_counts_once(tmp_path: Path, first: int) -> None:
    rows = [f"3,{first},0.1,", f"7,{first + 1},0.2,", f"9,{first + 1},0.3,0.5"]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,epoch,val/miou_frame,train/loss_epoch", *rows]) + "\n")
    (result,) = read_results([run_in(tmp_path)])
    assert result.curves == {"miou_frame": [(1, 0.1), (2, 0.3)], "loss": [(2, 0.5)]}


@pytest.mark.parametrize(
    "metrics, data, synthetic",
    [({"synthetic": True}, {}, True), ({"synthetic": False}, {"synthetic": {}}, False), ({}, {"synthetic": {}}, True)],
)
def test_drawn_clips_say_so(tmp_path: Path, metrics: dict, data: dict, synthetic: bool) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "config.yaml").write_text(json.dumps({"data": data}))
    assert read_results([run_in(tmp_path)])[0].synthetic is synthetic


def test_a_running_one_says_how_far_it_is(run_folder: RunWriter) -> None:
    folder = run_folder("running")
    (folder / "progress.json").write_text('{"fraction": 0.25, "phase": "train"}')
    running = run_in(folder, state="running")
    assert [result.fraction for result in read_results([running, replace(running, state="done")])] == [0.25, None]
