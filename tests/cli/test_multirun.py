"""`avs train -m`: cells one after another, each in a folder of its own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

SHORT = ["trainer.max_epochs=1", "probes=null"]


def test_each_cell_has_its_folder_and_its_log(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = avs("train", "-m", *tiny, *SHORT, "fusion=none,stage4", "paths.runs_dir=runs")
    assert ended.code == 0, ended.err
    for label in ("none", "stage4"):
        (folder,) = (tmp_path / "runs" / f"ms3_test_resnet_{label}").iterdir()
        assert json.loads((folder / "metrics.json").read_text())["name"] == f"ms3_test_resnet_{label}"
        assert (folder / "run.log").read_text().count("`Trainer.fit` stopped") == 1  # its own, and not the other's
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_a_cell_that_fails_leaves_the_others_and_is_named(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    ended = avs("train", "-m", *tiny, *SHORT, "method.loss.avm=nosuch,audio", f"paths.runs_dir={tmp_path}")
    assert ended.code == 1
    assert "1 of 2 cells failed" in ended.err
    assert "method.loss.avm=nosuch: method.loss.avm=nosuch is unknown" in ended.err
    assert "Traceback" not in ended.err
    assert len(list(tmp_path.glob("ms3_test_resnet_stages1234/*/metrics.json"))) == 1


@pytest.mark.parametrize("devices", ["2", "1,2"])
def test_several_devices_are_refused_with_the_command_that_works(
    avs: Callable, tiny: list[str], tmp_path: Path, devices: str
) -> None:
    ended = avs("train", "-m", *tiny, *SHORT, "fusion=none", f"trainer.devices={devices}", f"paths.runs_dir={tmp_path}")
    assert ended.code == 1
    assert "avs train trainer.devices=..." in ended.err
    assert "trainer.devices=1" in ended.err
    assert len(list(tmp_path.glob("*/*/metrics.json"))) == ("1" in devices)
