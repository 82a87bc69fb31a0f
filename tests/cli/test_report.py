"""`avs report`: a study, a sweep or a run by its name or folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.studies.plan import Plan, PlannedCell


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a study of one cell that was planned and not run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AVS_RUNS_DIR", raising=False)
    folder = tmp_path / "runs" / "studies" / "sweep-1"
    Plan("sweep-1", "A sweep", "", False, [], [PlannedCell("one", {"fusion": "none"}, 0, "sign", "one-sign")]).save(
        folder
    )
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


def test_a_run_by_its_folder(avs: Callable, tiny_run: Path, tmp_path: Path) -> None:
    ended = avs("report", str(tiny_run), "--output", str(tmp_path / "run.html"))
    assert ended.code == 0, ended.err
    assert tiny_run.name in (tmp_path / "run.html").read_text()


@pytest.mark.parametrize(
    "argv, message",
    [
        (["swep-1"], "no study 'swep-1' was run in"),
        (["swep-1"], "did you mean sweep-1?"),
        (["table_a1"], "avs study run table_a1 runs it; there are sweep-1"),
        (["runs/studies"], "runs/studies holds neither a run (config.yaml) nor a study (plan.json)"),
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


def test_a_damaged_plan(avs: Callable, study: Path) -> None:
    (study / "plan.json").write_text("{")
    ended = avs("report", "sweep-1")
    assert ended.code == 1
    assert "plan.json is damaged" in " ".join(ended.err.split())
