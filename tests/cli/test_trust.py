"""Folders and checkpoints from somebody else: nothing that they name is run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from avs_lightning.cli.overrides import named_in
from avs_lightning.targets import is_building_block

OWN = """
import pathlib
from avs_lightning.data import MS3DataModule

class Data(MS3DataModule):
    pass

class Trace:
    def __init__(self, path="{trace}"):
        pathlib.Path(path).touch()

def touch(path="{trace}"):
    pathlib.Path(path).touch()
"""


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `foreign_code` would leave if any of it ran."""
    trace = tmp_path / "trace"
    (tmp_path / "foreign_code.py").write_text(OWN.format(trace=trace))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return trace


@pytest.fixture
def foreign(tiny_run: Path, tmp_path: Path) -> Callable[..., Path]:
    """`foreign(change)` copies a finished run, with `change(config)` done to its configuration."""

    def copy(change: Callable[[dict[str, Any]], None]) -> Path:
        folder = tmp_path / "run"
        shutil.copytree(tiny_run, folder)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["trainer"]["max_epochs"] = 3  # there is something left to do
        change(config)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        return folder

    return copy


def touching(trace: Path) -> dict[str, Any]:
    return {"_target_": "os.system", "command": f"touch {trace}", "_args_": [f"touch {trace}"]}


HOSTILE: dict[str, Callable[[dict[str, Any], Path], Any]] = {
    "data": lambda c, trace: c.update(data={**c["data"], **touching(trace)}),
    "below data": lambda c, trace: c["data"].update(limit=touching(trace)),
    "method": lambda c, trace: c.update(method={**c["method"], "_target_": "foreign_code.Trace"}),
    "below method": lambda c, trace: c["method"]["loss"].update(avm=touching(trace)),
    "callbacks": lambda c, trace: c["callbacks"].update(early=touching(trace)),
    "logger": lambda c, trace: c["logger"].update(wandb=touching(trace)),
    "through an imported module": lambda c, trace: c["data"].update(
        {"_target_": "torch.os.system", "_args_": [f"touch {trace}"]}
    ),
    "a function": lambda c, trace: c["data"].update({"_target_": "torch.hub.load"}),
    "a class that starts processes": lambda c, trace: c["data"].update(
        {"_target_": "avs_lightning.studies.execution.processes.LocalJob"}
    ),
    "hydra's callbacks": lambda c, trace: c.update(hydra={"callbacks": {"x": touching(trace)}}),
    "hydra's launcher": lambda c, trace: c.update(hydra={"mode": "MULTIRUN", "launcher": touching(trace)}),
    "a list of defaults": lambda c, trace: c.update(defaults=["/mine"]),
    "the environment": lambda c, trace: c["data"].update(root="${oc.env:HOME}"),
    "a resolver": lambda c, trace: c.update(name="${run_suffix:}"),
    "a resolver in a key": lambda c, trace: c["data"].update({"${oc.env:HOME}": 1}),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_run_folder_is_refused(
    avs: Callable, foreign: Callable, trace: Path, change: Callable[[dict[str, Any], Path], Any]
) -> None:
    folder = foreign(lambda config: change(config, trace))
    for command in (["train", f"resume={folder}"], ["train", "--run-folder", str(folder)]):
        ended = avs(*command, "probes=null")
        assert not trace.exists()
        assert ended.code == 1, ended.out
        assert "Traceback" not in ended.err
        assert f"{folder}/config.yaml" in ended.err


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_reports_of_a_hostile_folder_run_nothing(
    avs: Callable, foreign: Callable, trace: Path, change: Callable[[dict[str, Any], Path], Any]
) -> None:
    folder = foreign(lambda config: change(config, trace))
    assert avs("report", str(folder)).code == 0
    assert not trace.exists()


def test_a_hostile_study_runs_nothing(avs: Callable, foreign: Callable, trace: Path, tmp_path: Path) -> None:
    folder = foreign(lambda config: HOSTILE["data"](config, trace))
    folder.rename(tmp_path / "cells")
    study = tmp_path / "runs" / "studies" / "theirs"
    shutil.copytree(tmp_path / "cells", tmp_path / "runs" / "cells" / "x-0123456789")
    cell = {"name": "[red]<script>x", "parameters": {"fusion": "<b>x"}, "seed": 0, "signature": "0123456789"}
    plan = {"study": "theirs", "title": "<script>alert(1)</script>", "question": "", "synthetic": False}
    study.mkdir(parents=True)
    cells = [{**cell, "folder": "x-0123456789"}]
    (study / "plan.json").write_text(json.dumps({**plan, "overrides": ["data._target_=os.system"], "cells": cells}))
    for command in (["report", str(study)], ["study", "status", str(study)], ["study", "table", str(study)]):
        ended = avs(*command)
        assert ended.code == 0, ended.err
        assert not trace.exists()
    page = (study / "report.html").read_text()
    assert "<script>alert(1)" not in page
    assert "<b>x" not in page


@pytest.mark.parametrize("target", ["os.system", "foreign_code.touch", "torch.os.system", "foreign_code.Data"])
def test_a_hostile_checkpoint_is_refused(
    avs: Callable, tiny_run: Path, trace: Path, tmp_path: Path, target: str
) -> None:
    content = torch.load(tiny_run / "checkpoints" / "best.ckpt", weights_only=True)
    content["avs_datamodule"] = target
    torch.save(content, tmp_path / "theirs.ckpt")
    ended = avs("eval", "checkpoint=theirs.ckpt")
    assert not trace.exists()
    assert ended.code == 1
    assert target in ended.err
    assert "AVS_TRUST=" in ended.err


def test_a_checkpoints_settings_are_not_evaluated(avs: Callable, tiny_run: Path, trace: Path, tmp_path: Path) -> None:
    content = torch.load(tiny_run / "checkpoints" / "best.ckpt", weights_only=True)
    for settings in ({"_target_": "os.system"}, {"limit": touching(trace)}, {"root": "${oc.env:HOME}"}):
        changed = {**content, "datamodule_hyper_parameters": {**content["datamodule_hyper_parameters"], **settings}}
        torch.save(changed, tmp_path / "theirs.ckpt")
        ended = avs("eval", "checkpoint=theirs.ckpt", "probes=null", "callbacks.pictures.clips=0", "data.limit=1")
        assert not trace.exists()
        assert (ended.code == 0) == ("_target_" in settings), ended.err  # which the checkpoint's own name replaces


def test_code_of_ones_own_is_run_where_it_is_named(
    avs: Callable, tiny: list[str], foreign: Callable, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = foreign(lambda config: config["data"].update(_target_="foreign_code.Data"))
    go_on = ["train", f"resume={folder}", "probes=null"]
    refused = avs(*go_on)
    assert refused.code == 1
    assert "data._target_=foreign_code.Data" in refused.err
    assert "AVS_TRUST=foreign_code" in refused.err
    assert avs(*go_on, "data._target_=foreign_code.Data", "dry_run=true").code == 0
    monkeypatch.setenv("AVS_TRUST", "other, foreign_code")
    assert avs(*go_on, "dry_run=true").code == 0


def test_cells_trust_what_the_sweep_was_composed_of(
    avs: Callable, smallest: list[str], trace: Path, tmp_path: Path
) -> None:
    command = ["train", "-m", *smallest, "data._target_=foreign_code.Data", "fusion=none", "seed=0", "test=false"]
    ended = avs(*command, f"paths.runs_dir={tmp_path}/runs")
    assert ended.code == 0, ended.err
    (folder,) = (tmp_path / "runs" / "cells").iterdir()
    assert (folder / "metrics.json").exists()
    assert "AVS_TRUST=foreign_code" in avs("train", f"resume={folder}", "trainer.max_epochs=2").err


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("avs_lightning.data.MS3DataModule", True),
        ("avs_lightning.methods.avs.AVSMethod", True),
        ("torch.nn.Linear", True),
        ("torch.optim.SGD", True),
        ("pytorch_lightning.callbacks.EarlyStopping", True),
        ("torchmetrics.MeanMetric", True),
        ("os.system", False),
        ("torch.os.system", False),
        ("torch.load", False),
        ("avs_lightning.cli.main", False),
        ("avs_lightning.cli.__main__", False),
        ("avs_lightning.studies.execution.processes.subprocess.Popen", False),
        ("torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler", False),
        ("torch.nosuch.Thing", False),
        ("torchx.Thing", False),
        (["torch.nn.Linear"], False),
        (None, False),
    ],
)
def test_what_may_be_built(target: Any, allowed: bool) -> None:
    assert is_building_block(target) is allowed


def test_what_a_command_line_names(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("_target_: mine.Data\nother:\n  _target_: 'mine.Other'\n")
    assert named_in(["data._target_=a.B", "+x._target_='c.D'", "data.root=a.b"]) == ["a.B", "c.D"]
    assert named_in(["--config-dir", str(tmp_path)]) == ["mine.Data", "mine.Other"]
    assert named_in([f"--config-dir={tmp_path}"]) == ["mine.Data", "mine.Other"]
