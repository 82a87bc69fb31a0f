"""How far a run is, read from its folder."""

import json
from pathlib import Path

import pytest

from avs_lightning.run import Results, Run, State
from avs_lightning.training.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    return tmp_path / "run"


def test_states(folder: Path) -> None:
    run = RunFolder(folder)
    assert Run(folder / "nowhere").state == Run(folder).state == State.NEW
    run.last.touch()
    assert Run(folder).state == State.RESUMED
    Run(folder).fail("out of memory")
    assert Run(folder).state == State.FAILED
    assert Run(folder).failure == "out of memory"
    run.metrics.write_text('{"scores": {}}')
    assert Run(folder).state == State.DONE
    with run.locked():
        assert Run(folder).state == State.RUNNING
    assert Run(folder).state == State.DONE


@pytest.mark.parametrize("text", ['{"scores": {"true": {"miou_ref', "", "[1]", "null", "\0\0"])
def test_results_that_were_cut_are_not_done_and_nothing_else_is_lost(folder: Path, text: str) -> None:
    run = RunFolder(folder)
    run.last.touch()
    run.metrics.write_text(text)
    assert not Run(folder).is_done
    assert Run(folder).results == Results()
    assert Run(folder).is_cut
    assert Run(folder).state == State.RESUMED
    assert run.metrics.read_text() == text
    assert not Run(folder / "nowhere").is_cut


def test_a_damaged_note_of_a_failure_says_nothing(folder: Path) -> None:
    (folder / "failed.json").write_text('{"why')
    assert Run(folder).failure == ""
    assert Run(folder).state == State.NEW


def test_the_code_that_trained_a_folder(folder: Path) -> None:
    assert Run(folder).code is None
    RunFolder(folder).last.touch()
    assert Run(folder).code == "unknown"
    (folder / "environment.json").write_text('{"code": {"results": "abc"}}')
    assert Run(folder).code == "abc"
    (folder / "environment.json").write_text('{"code"')
    assert Run(folder).code == "unknown"


def test_notes_are_whole_json(folder: Path) -> None:
    Run(folder).fail("why\nnot")
    assert json.loads((folder / "failed.json").read_text())["why"] == "why\nnot"
    assert not list(folder.glob("*.part"))
