"""`avs train trainer.devices=2`: Lightning starts the second process by the run's own configuration."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PAIR = ["trainer.devices=2", "probes=null", "trainer.max_epochs=2"]


@pytest.mark.parametrize("console_script", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_two_processes_train_one_run(
    avs: Callable, tiny: list[str], tmp_path: Path, scores_in: Callable, console_script: bool
) -> None:
    folder = tmp_path / "runs" / "pair"
    script = Path(sys.executable).with_name("avs")
    command = [str(script)] if console_script else [sys.executable, "-m", "avs_lightning.cli"]
    if console_script and not script.exists():
        pytest.skip("the package is not installed beside this interpreter")
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    given = ["train", *tiny, *PAIR, f"paths.output_dir={folder}"]
    ended = subprocess.run([*command, *given], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.count("Everything is in") == 1
    assert ended.stdout.count("one clip of 5 frames") == 1

    result = json.loads((folder / "metrics.json").read_text())
    assert result["steps"] == 4  # five clips: three to each process, in batches of two
    assert [path.name for path in folder.parent.iterdir()] == ["pair"]
    assert json.loads((folder / "environment.json").read_text())["command"] == ["avs", *given]
    with (folder / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == list("01234")
    assert "MEMBER: 1/2" in (folder / "run.log").read_text()

    options = ["probes=null", "callbacks.pictures.clips=0", "trainer.enable_progress_bar=false"]
    alone = avs("eval", f"checkpoint={folder}/checkpoints/best.ckpt", *options, f"paths.output_dir={tmp_path}/eval")
    assert alone.code == 0, alone.err
    assert scores_in(tmp_path / "eval") == scores_in(folder)  # three test clips: one is dealt out twice


def test_two_processes_evaluate_as_one(
    avs: Callable, avs_process: Callable, tiny_run: Path, tmp_path: Path, scores_in: Callable
) -> None:
    options = ["callbacks.pictures.clips=1", "trainer.enable_progress_bar=false", "trainer.accelerator=cpu"]
    given = ["eval", f"checkpoint={tiny_run}/checkpoints/best.ckpt", *options, "trainer.devices=2"]
    ended = avs_process(*given, f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 0, ended.err
    assert scores_in(tmp_path / "eval") == scores_in(tiny_run)
    assert (tmp_path / "eval" / "clips.csv").read_text() == (tiny_run / "clips.csv").read_text()
    index = "clips/index.json"
    assert (tmp_path / "eval" / index).read_text() == (tiny_run / index).read_text()
