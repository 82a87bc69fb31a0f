"""What a run's folder says about it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.training.run_folder import RunFolder, RunLog, code_version

CFG = OmegaConf.create({"name": "a", "again": "${name}"})


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    yield
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
        root.removeHandler(handler)
        handler.close()


def test_configuration_environment_and_log(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "run")
    folder.open(CFG)
    logging.getLogger("somewhere").warning("something")
    assert OmegaConf.load(folder.config) == {"name": "a", "again": "a"}
    environment = json.loads((folder.path / "environment.json").read_text())
    assert {"started", "command", "python", "cores", "gpus", "packages", "code"} <= environment.keys()
    assert "WARNING somewhere: something" in (folder.path / "run.log").read_text()


def test_two_runs_of_a_process_have_their_own_logs(tmp_path: Path) -> None:
    for name in ("one", "two"):
        RunFolder(tmp_path / name).open(CFG)
        logging.getLogger("somewhere").error("said in %s", name)
    for name, other in (("one", "two"), ("two", "one")):
        text = (tmp_path / name / "run.log").read_text()
        assert f"said in {name}" in text
        assert f"said in {other}" not in text


def test_only_a_run_with_results_or_a_checkpoint_takes_the_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.check_free()
    folder.open(CFG)
    folder.check_free()
    folder.write_metrics({"scores": {}})
    with pytest.raises(UserError, match=f"already holds a run: go on with it by avs train resume={tmp_path}"):
        folder.check_free()
    folder.metrics.unlink()
    folder.checkpoints.mkdir()
    folder.last.touch()
    with pytest.raises(UserError, match="already holds a run"):
        folder.check_free()


def test_a_run_that_goes_on_is_not_finished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open(CFG)
    folder.write_metrics({"epochs": 1})
    assert json.loads(folder.metrics.read_text()) == {"epochs": 1}
    folder.open(CFG)
    assert not folder.metrics.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: .*paths.output_dir=\.\.\."):
        RunFolder(tmp_path / "file" / "run").open(CFG)


def test_the_code_has_a_version_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    with_git = code_version()
    monkeypatch.setenv("PATH", "")
    version = code_version()
    assert version.keys() == {"version", "sources"}
    assert version["sources"] == with_git["sources"]
