"""`avs train -m` and `avs eval -m`: cells by what can change their result, each with a process and a folder."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from avs_lightning.cli.sweep import sweep_cells

NEW = "starts: "


def test_each_cell_has_its_folder_its_log_and_its_results(swept) -> None:
    assert swept.code == 0, swept.err
    assert swept.err == ""
    assert {path.name for path in swept.runs.parent.iterdir()} == {"runs"}
    assert {path.name for path in swept.runs.iterdir()} == {"cells", "studies"}
    assert len(list((swept.runs / "cells").iterdir())) == 2
    for label in ("none", "stage4"):
        folder = swept.cell(label)
        assert json.loads((folder / "metrics.json").read_text())["name"] == f"ms3_test_resnet_{label}"
        assert (folder / "run.log").read_text().count("`Trainer.fit` stopped") == 1  # its own, and not the other's
        assert (folder / "output.log").read_text().count("Everything is in") == 1
        typed = ["avs", *swept.command, "paths.runs_dir=runs"]
        assert json.loads((folder / "environment.json").read_text())["command"] == typed  # the sweep's, as it was given
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["fusion"]["stages"] == ([4] if label == "stage4" else [])
        assert config["paths"]["output_dir"] == str(folder)


def test_the_states_come_first_in_eighty_columns(swept) -> None:
    lines = swept.out.splitlines()
    assert "2 cells, 2 new" in lines[0]
    signature = swept.cell("stage4").name.rpartition("-")[2]
    (line,) = [line for line in lines if signature in line]
    assert [part.strip() for part in line.strip("│").split("│")] == ["fusion=stage4", "123", "new", signature]
    assert "new: starts from the beginning" in swept.out
    assert f"Run folders: {swept.runs / 'cells'}" in lines
    assert all(len(line) <= 80 for line in lines[: lines.index(f"Run folders: {swept.runs / 'cells'}")])
    assert [line.partition(" in ")[0] for line in lines if line.startswith(("starts", "done in"))] == [
        "starts: fusion=none",
        "done",
        "starts: fusion=stage4",
        "done",
    ]


def test_the_study_has_a_plan_a_table_and_a_report(swept) -> None:
    (study,) = (swept.runs / "studies").iterdir()
    assert {path.name for path in study.iterdir()} >= {"plan.json", "table.md", "table.csv", "report.html"}
    assert {line.partition(",")[0] for line in (study / "table.csv").read_text().splitlines()} >= {"none", "stage4"}


def test_the_same_command_runs_nothing_and_says_so(avs: Callable, copied) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.runs.glob("cells/*/metrics.json")}
    ended = avs(*copied.command, "launcher=parallel", "data.workers=1")  # what cannot change a result
    assert ended.code == 0, ended.err
    assert "2 cells, 2 done" in ended.out
    assert "Nothing to run: every cell is done." in ended.out
    assert NEW not in ended.out
    assert {path: path.stat().st_mtime_ns for path in copied.runs.glob("cells/*/metrics.json")} == before
    assert len(list((copied.runs / "studies").iterdir())) == 1  # found by its cells


def test_a_larger_grid_runs_what_is_new_and_a_failure_leaves_the_others(avs: Callable, copied) -> None:
    """Two batches, as of an optimising sweeper, the first of which fails: one study, one table, one message."""
    extended = [text if not text.startswith("fusion=") else "fusion=none" for text in copied.command]
    batches = ["init.checkpoint=nosuch,null", "hydra.sweeper.max_batch_size=1", "study=batches"]
    ended = avs(*extended, *batches)
    assert ended.code == 1
    assert "1 of 2 cells failed:\n  init.checkpoint=nosuch: there is no checkpoint nosuch" in ended.err
    assert f"({copied.runs}/cells/ms3_test_resnet_none_pretrained-" in ended.err
    assert "/output.log)" in ended.err
    assert "The same command tries them again, and nothing else." in ended.err
    assert "Traceback" not in ended.err
    assert ended.out.count(NEW) == 1
    assert ended.out.count("Report: ") == 1
    assert {path.name for path in (copied.runs / "studies").iterdir()} >= {"batches"}
    plan = json.loads((copied.runs / "studies" / "batches" / "plan.json").read_text())
    assert [cell["name"] for cell in plan["cells"]] == ["init.checkpoint=nosuch", "init.checkpoint=null"]

    again = avs(*extended, *batches)
    assert "1 done, 1 failed" in again.out
    assert "failed: failed before, is tried again" in again.out


def test_a_failed_parent_blocks_its_children_only(avs: Callable, copied) -> None:
    command = [text if not text.startswith("fusion=") else "fusion=none" for text in copied.command]
    ended = avs(*command, "init=single_source,scratch")  # there is no S4 data here
    assert ended.code == 1
    assert "1 of 3 cells failed:\n  s4_test_resnet_none seed 123: " in ended.err
    assert "1 of 3 cells are blocked" in ended.err
    assert "init=single_source: waits for s4_test_resnet_none seed 123" in ended.err
    assert "Traceback" not in ended.err


def test_a_cut_metrics_file_is_told_and_made_again(avs: Callable, copied, scores_in: Callable) -> None:
    folder = copied.cell("none")
    before = scores_in(folder)
    content = (folder / "metrics.json").read_text()
    (folder / "metrics.json").write_text(content[: len(content) // 2])
    ended = avs(*copied.command)
    assert ended.code == 0, ended.err
    assert "1 done, 1 resumed" in ended.out
    assert "metrics.json is cut" in " ".join(ended.out.replace("│", " ").split())
    assert ended.out.count("goes on: ") == 1
    assert scores_in(folder) == before


@pytest.mark.parametrize("cut", ["", "[]", '{"name": "x"}', '{"epochs"'])
def test_resume_mends_a_damaged_metrics_file(avs: Callable, copied, scores_in: Callable, cut: str) -> None:
    folder = copied.cell("none")
    before = scores_in(folder)
    (folder / "metrics.json").write_text(cut)
    ended = avs("train", f"resume={folder}", f"paths.output_dir={folder}")
    assert ended.code == 0, ended.err
    assert f"{folder}/metrics.json is damaged: the test is done again" in ended.out
    assert scores_in(folder) == before


def test_other_code_is_refused_kept_or_retrained(avs: Callable, copied) -> None:
    folder = copied.cell("none")
    environment = json.loads((folder / "environment.json").read_text())
    environment["code"]["results"] = "0123456789ab"
    (folder / "environment.json").write_text(json.dumps(environment))
    refused = avs(*copied.command)
    assert refused.code == 1
    assert f"  fusion=none: code 0123456789ab, in {folder}" in refused.err
    assert "fusion=stage4" not in refused.err
    kept = avs(*copied.command, "launcher.other_code=keep")
    assert kept.code == 0, kept.err
    assert "done by other code" in " ".join(kept.out.replace("│", " ").split())
    assert NEW not in kept.out
    anew = avs(*copied.command, "launcher.other_code=retrain")
    assert anew.code == 0, anew.err
    assert anew.out.count(NEW) == 1
    assert folder.with_name(f"{folder.name}.code-0123456789ab").is_dir()
    assert json.loads((folder / "environment.json").read_text())["code"]["results"] != "0123456789ab"


def test_a_study_is_one_commands_at_a_time(avs: Callable, copied) -> None:
    from avs_lightning.studies.cells.locks import locked_study

    before = sorted(path for path in copied.runs.rglob("*"))
    with locked_study(copied.runs / "studies" / "mine"):
        ended = avs(*copied.command, "study=mine")
    assert ended.code == 1
    assert "another command is running the study mine" in ended.err
    assert ended.err.count("avs: error") == 1
    assert set(before) <= set(copied.runs.rglob("*"))
    assert avs(*copied.command, "study=mine").code == 0


def test_checkpoints_are_evaluated_as_cells(avs: Callable, copied, scores_in: Callable, tmp_path: Path) -> None:
    paths = [copied.cell(label) / "checkpoints" / "best.ckpt" for label in ("none", "stage4")]
    command = ["eval", "-m", f"checkpoint={paths[0]},{paths[1]}", "data.eval_batch_size=2", "trainer.accelerator=cpu"]
    ended = avs(*command, f"paths.runs_dir={tmp_path}/evaluated")
    assert ended.code == 0, ended.err
    folders = {
        yaml.safe_load((folder / "config.yaml").read_text())["checkpoint"]: folder
        for folder in (tmp_path / "evaluated" / "cells").iterdir()
    }
    assert set(folders) == {str(path) for path in paths}
    for path, folder in folders.items():
        assert scores_in(folder) == scores_in(Path(path).parents[1])
        assert yaml.safe_load((folder / "config.yaml").read_text())["data"]["image_size"] == 32  # the checkpoint's own
    again = avs(*command, f"paths.runs_dir={tmp_path}/evaluated")
    assert "Nothing to run" in again.out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["launcher=nosuch"], "launcher=nosuch is unknown (allowed: local, parallel, slurm)"),
        (["launcher.name=locl"], "launcher.name=locl: expected one of local, parallel, slurm; did you mean"),
        (["launcher=parallel", "launcher.jobs=0"], "launcher.jobs=0: expected a whole number from 1"),
        (["launcher=parallel", "launcher.jobs=many"], "launcher.jobs=many: expected a whole number"),
        (["launcher=parallel", "launcher.jobs=999"], "launcher.jobs=999: 999 cells at a time"),
        (["launcher=parallel", "trainer.devices=999"], "a cell takes trainer.devices=999, and this machine has"),
        (["launcher=parallel", "trainer.devices=[0,1]"], "say how many a cell takes, trainer.devices=2"),
        (["trainer.num_nodes=2"], "launcher=local runs cells on this machine alone, and trainer.num_nodes=2"),
        (["hydra/launcher=basic"], "choose launcher=local, launcher=parallel or launcher=slurm instead"),
        (["hydra/launcher=submitit_local"], "choose launcher=local, launcher=parallel or launcher=slurm instead"),
        (["hydra/launcher=joblib"], "choose launcher=local, launcher=parallel or launcher=slurm instead"),
        (["--cfg", "job"], "--cfg with -m: a sweep has a configuration for each cell"),
        (["hydra/sweeper=optuna"], "there is no hydra/sweeper=optuna here"),
        (["paths.output_dir=X"], "paths.runs_dir=FOLDER"),
        (["optimizer.lr=0.1,-1"], "optimizer.lr=-1"),
        (["resume=somewhere"], "a sweep goes on by the command that began it"),
        (["study=../elsewhere"], "study=../elsewhere: the name is a folder's"),
        (["launcher.other_code=mix"], "launcher.other_code=mix: expected one of refuse, keep, retrain"),
        (["seed=1,1"], "two cells compute the same"),
        (["nosuch=1,2"], "'nosuch'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(
    avs: Callable, smallest: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = avs("train", "-m", *smallest, "fusion=none", *given)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("avs: error") == 1
    assert "Traceback" not in ended.err
    assert not list(tmp_path.glob("runs/cells/*"))


def test_slurm_that_is_not_there(
    avs: Callable, smallest: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = avs("train", "-m", *smallest, "fusion=none,stage4", "launcher=slurm", f"paths.runs_dir={tmp_path}/runs")
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "launcher=slurm: sbatch, srun, squeue, scancel cannot be found" in ended.err


def test_seeds_are_repetitions_and_no_axis() -> None:
    jobs = [["data=ms3", f"fusion={fusion}", f"seed={seed}"] for fusion in ("none", "stage4") for seed in (1, 2)]
    requests = sweep_cells(jobs)
    assert [request.name for request in requests][:2] == ["fusion=none seed=1", "fusion=none seed=2"]
    assert [request.parameters for request in requests] == [{"fusion": f} for f in ("none", "none", "stage4", "stage4")]
    (alone,) = sweep_cells([["data=ms3", "seed=1"]])
    assert (alone.name, alone.parameters) == ("", {})


def test_torchrun_is_refused(
    avs: Callable, smallest: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    ended = avs("train", "-m", *smallest, "fusion=none,stage4", f"paths.runs_dir={tmp_path}/runs")
    assert ended.code == 1
    assert "run it without torchrun" in ended.err
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.slow
def test_two_sweeps_at_once_share_what_is_the_same(begin: Callable, smallest: list[str], tmp_path: Path) -> None:
    """Started in the same second: two records of Hydra's in two folders, a common cell trained once, both complete."""
    common = ["train", "-m", *smallest, "fusion=none", f"paths.runs_dir={tmp_path}/runs"]
    both: list[subprocess.Popen[str]] = [begin(*common, f"seed={seeds}", cwd=tmp_path) for seeds in ("1,2", "2,3")]
    ends = [(*process.communicate(), process.returncode) for process in both]
    assert [code for _, _, code in ends] == [0, 0], ends
    folders = list((tmp_path / "runs" / "cells").iterdir())
    assert len(folders) == 3
    assert len(list((tmp_path / "runs" / "studies").iterdir())) == 2
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"cells", "studies"}
    for folder in folders:
        assert (folder / "output.log").read_text().count("Everything is in") == 1


def test_one_line_uploads_what_all_cells_have_logged_offline(swept, tmp_path: Path) -> None:
    (line,) = (line for line in swept.out.splitlines() if line.startswith("W&B ran offline"))
    words = shlex.split(line.partition(": ")[2])
    assert words[:2] == ["wandb", "sync"]
    command = [sys.executable, "-m", *words, "--dry-run", "--yes"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for label in ("none", "stage4"):
        (run,) = swept.cell(label).glob("wandb/offline-run-*")
        assert run.name in listed.stdout + listed.stderr
