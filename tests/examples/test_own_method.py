"""examples/own_method through the real commands, as somebody uses it who has changed nothing in the package."""

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "own_method"
CONFIG = f"--config-dir={FOLDER / 'conf'}"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Its overrides, on the path as a user puts it there; four classes, clips of two to four seconds."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(FOLDER), os.environ.get("PYTHONPATH")))))
    importlib.import_module("own_method.drawing").draw_clips(tmp_path / "shapes", train=5, val=3, test=3, size=32)
    size = ["data.image_size=32", "data.batch_size=2", "data.workers=1", "method.width=4"]
    return [CONFIG, "method=own", "data=shapes", f"data.root={tmp_path}/shapes", *size, "trainer.max_epochs=1",
            "trainer.accelerator=cpu"]  # fmt: skip


def test_two_stages_are_trained_tested_resumed_and_reported(avs: Callable, own: list[str], tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    ended = avs("train", *own, f"paths.output_dir={first}")
    assert ended.code == 0, ended.err
    metrics = json.loads((first / "metrics.json").read_text())
    assert metrics["name"] == "shapes_own_stage1"
    assert (metrics["data"], metrics["synthetic"], metrics["clips"]["scored"]) == ("shapes", True, 3)
    content = torch.load(first / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["avs_method"] == "own_method.method.OwnMethod"
    assert content["avs_datamodule"] == "own_method.data.ShapesDataModule"
    assert content["state_dict"]["decoder.fine.weight"].shape[0] == 4

    ended = avs("train", *own, "method.stage=2", f"paths.output_dir={second}")
    assert ended.code == 1
    assert "method.stage=2 starts from stage 1" in ended.err
    ended = avs("train", *own, "method.stage=2", f"init.checkpoint={first}/checkpoints/best.ckpt",
                f"paths.output_dir={second}")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "0 kept as built, 0 left out" in " ".join(ended.out.split())
    scores = json.loads((second / "metrics.json").read_text())["scores"]
    assert scores["true"] != scores["muted"]  # it hears

    ended = avs("train", CONFIG, f"resume={second}", "trainer.max_epochs=2")
    assert ended.code == 0, ended.err
    assert json.loads((second / "metrics.json").read_text())["epochs"] == 2
    ended = avs("report", str(first), str(second), "--output", str(tmp_path / "report.html"))
    assert ended.code == 0, ended.err
    assert "own_stage2" in (tmp_path / "report.html").read_text()


def test_its_checkpoint_is_trusted_where_it_is_named(
    avs: Callable, own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores_in: Callable
) -> None:
    run = tmp_path / "run"
    assert avs("train", *own, f"paths.output_dir={run}").code == 0
    monkeypatch.delenv("AVS_TRUST", raising=False)
    evaluation = ["eval", f"checkpoint={run}/checkpoints/best.ckpt", f"paths.output_dir={tmp_path}/eval"]
    ended = avs(*evaluation)
    assert ended.code == 1
    assert "AVS_TRUST=own_method" in ended.err
    monkeypatch.setenv("AVS_TRUST", "own_method")
    ended = avs(*evaluation)
    assert ended.code == 0, ended.err
    assert scores_in(tmp_path / "eval") == scores_in(run)


@pytest.mark.slow
def test_two_processes(avs_process: Callable, own: list[str], tmp_path: Path) -> None:
    ended = avs_process("train", *own, "trainer.devices=2", "data.batch_size=1", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    assert (tmp_path / "run" / "metrics.json").is_file()


@pytest.mark.slow
def test_a_sweep_trains_the_first_stages_of_its_second_ones(
    avs_process: Callable, own: list[str], tmp_path: Path
) -> None:
    sweep = ["train", "-m", *own, "method.stage=2", "init=own_stage1", "method.bands=8,16", "paths.runs_dir=runs"]
    ended = avs_process(*sweep)
    assert ended.code == 0, ended.err
    cells = [json.loads(file.read_text()) for file in (tmp_path / "runs" / "cells").glob("*/metrics.json")]
    names = sorted(cell["name"] for cell in cells)
    assert names == [*2 * ["shapes_own_stage1"], *2 * ["shapes_own_stage2_pretrained"]]
    (table,) = (tmp_path / "runs" / "studies").glob("*/table.md")
    assert "method.bands" in table.read_text()


@pytest.mark.slow
def test_its_study_runs_and_says_whether_its_claim_held(avs_process: Callable, own: list[str], tmp_path: Path) -> None:
    settings = [word for word in own if not word.startswith(("--config-dir", "method=", "data="))]
    groups = f"hydra.searchpath=[file://{FOLDER / 'conf'}]"
    ended = avs_process("study", "run", f"{FOLDER}/study.yaml", groups, *settings, "network=sees,fine")
    assert ended.code == 0, ended.err
    (table,) = (tmp_path / "runs" / "studies").glob("*/table.md")
    assert all(words in table.read_text() for words in ("sees alone", "hears, 64 bands", "hearing helps", "shapes"))
