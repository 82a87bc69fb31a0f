"""`avs report`: a study, a sweep or a run by its name or folder."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a study of one cell that was planned and not run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AVS_RUNS_DIR", raising=False)
    folder = tmp_path / "runs" / "studies" / "sweep-1"
    (tmp_path / "runs" / "cells").mkdir(parents=True)
    cell = Cell("one", {"fusion": "none"}, 0, {}, "sign", tmp_path / "runs" / "cells" / "one-sign")
    Plan("sweep-1", "A sweep", "", False, [], [cell]).save(folder)
    return folder


@pytest.mark.parametrize("name", ["sweep-1", "sweep", "runs/studies/sweep-1"])
def test_a_study_by_its_name_or_folder(avs: Callable, study: Path, name: str) -> None:
    ended = avs("report", name)
    assert ended.code == 0, ended.err
    assert str(study / "report.html") in ended.out.replace("\n", "") or "runs/studies/sweep-1/report.html" in ended.out
    assert "A sweep" in (study / "report.html").read_text()


def test_another_file(avs: Callable, study: Path) -> None:
    assert avs("report", "sweep-1", "--output", "deep/page.html").code == 0
    assert Path("deep/page.html").is_file()
    assert not (study / "report.html").exists()


def test_a_run_is_titled_by_what_it_trained_and_says_its_seed_data_code_and_command(
    avs: Callable, tiny_run: Path, tmp_path: Path
) -> None:
    ended = avs("report", str(tiny_run), "--output", str(tmp_path / "run.html"))
    assert ended.code == 0, ended.err
    page = (tmp_path / "run.html").read_text()
    config = OmegaConf.load(tiny_run / "config.yaml")
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert config.name != tiny_run.name
    assert f"<h1>{config.name}</h1>" in page
    facts = dict(re.findall(r"<div><dt>([^<]*)</dt><dd>([^<]*)</dd></div>", page))
    assert facts["seed"] == str(config.seed)
    assert facts["data"].startswith("ms3")
    assert metrics["fingerprint"] in facts["fingerprint"]
    assert metrics["code"]["version"] in facts["code"]
    assert facts["machine"]
    assert "decoder.channels=16" in facts["command"]
    assert facts["run folder"] == str(tiny_run)


def data_in(page: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    return data


def test_several_in_one_page(avs: Callable, tiny_run: Path, study: Path, tmp_path: Path) -> None:
    """What else is named is shown too, runs that were one sweep or not, told apart by the settings that differ."""
    for number, rate in enumerate((0.1, 0.2)):
        shutil.copytree(tiny_run, tmp_path / "mine" / f"run{number}")
        config = OmegaConf.load(tmp_path / "mine" / f"run{number}" / "config.yaml")
        config.optimizer.lr = rate
        OmegaConf.save(config, tmp_path / "mine" / f"run{number}" / "config.yaml")
    ended = avs("report", "sweep-1", "mine", str(tiny_run))
    assert ended.code == 0, ended.err
    page = Path("report.html").read_text()
    data = data_in(page)
    assert len(data["runs"]) == 4
    assert data["axes"][-1] == "optimizer.lr"
    assert {cell["parameters"].get("optimizer.lr") for cell in data["cells"]} == {None, "0.1", "0.2", "0.01"}
    assert all(len(cell["runs"]) == 1 for cell in data["cells"])
    assert "A sweep" in page
    assert avs("report", "mine", "sweep-1", "sweep-1", str(tmp_path / "mine" / "run0")).code == 0
    assert len(data_in(Path("report.html").read_text())["runs"]) == 3  # each once


@pytest.mark.parametrize(
    "argv, message",
    [
        (["swep-1"], "no study 'swep-1' was run in"),
        (["swep-1"], "did you mean sweep-1?"),
        (["table_a1"], "avs study run table_a1 runs it; there are sweep-1"),
        (["runs/cells"], "runs/cells holds neither a run (config.yaml) nor a study (plan.json)"),
        (["sweep-1", "runs/cells"], "runs/cells holds neither"),
        (["sweep-1", "other"], "no study 'other' was run in"),
        (["runs/studies", "data=synthetic"], "data=synthetic means nothing for the folder runs/studies"),
        (["data=synthetic"], "data=synthetic"),
        (["sweep-1", "paths.runs_dir=elsewhere"], "elsewhere"),
        (["sweep-1", "nosuch=1"], "nosuch=... means nothing here"),
        (["sweep-1", "--output", "runs"], "runs"),
    ],
)
def test_what_is_not_there(avs: Callable, study: Path, argv: list[str], message: str) -> None:
    ended = avs("report", *argv)
    assert ended.code == 1
    assert ended.err.count("avs: error") == 1
    assert message in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"code": [1], "memory_gib": "much", "cores": [], "gpus": 5, "cost": 1}']
)
def test_a_run_folder_with_damaged_files_is_still_shown(
    avs: Callable, tiny_run: Path, tmp_path: Path, content: str
) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    for name in ("config.yaml", "environment.json", "metrics.json"):
        (tmp_path / "run" / name).write_text(content)
    for names in ([f"{tmp_path}/run"], [f"{tmp_path}/run", str(tiny_run)]):
        ended = avs("report", *names, "--output", str(tmp_path / "run.html"))
        assert ended.code == 0, ended.err
        assert "<h1>" in (tmp_path / "run.html").read_text()


def test_a_damaged_plan(avs: Callable, study: Path) -> None:
    (study / "plan.json").write_text("{")
    ended = avs("report", "sweep-1")
    assert ended.code == 1
    assert "plan.json is damaged" in " ".join(ended.err.split())
