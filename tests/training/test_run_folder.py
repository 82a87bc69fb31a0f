"""What a run's folder says about it."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from avs_lightning.command import typed
from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.training.run_folder import RunFolder, RunLog

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


def test_the_command_that_began_a_run_stays_beside_those_that_go_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for cfg, words in ((CFG, ["avs", "train"]), (OmegaConf.create({"resume": "x"}), ["avs", "train", "resume=x"])):
        with typed(words):
            folder.open(cfg)
    environment = json.loads(folder.environment.read_text())
    assert (environment["command"], environment["resumed_by"]) == (["avs", "train"], ["avs", "train", "resume=x"])
    with typed(["avs", "train", "seed=1"]):
        folder.open(CFG)  # another run, in the place of one that failed before its first checkpoint
    environment = json.loads(folder.environment.read_text())
    assert environment["command"] == ["avs", "train", "seed=1"]
    assert "resumed_by" not in environment


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


def test_a_folder_is_one_process_s(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert not Run(folder.path).is_locked()
    assert not folder.path.exists()
    with folder.locked():
        assert Run(folder.path).is_locked()
        with pytest.raises(UserError, match=f"{folder.path} is in use: another process"), folder.locked():
            pass
        assert Run(folder.path).is_locked()
    assert not Run(folder.path).is_locked()
    with folder.locked():
        pass


HOLD = """
import multiprocessing, os, sys, time
from pathlib import Path
from avs_lightning.training.run_folder import RunFolder
def work():  # as a loader's worker does
    print(os.getpid(), flush=True)  # once it runs: right after the fork it holds what its parent holds
    time.sleep(60)
with RunFolder(Path(sys.argv[1])).locked():
    multiprocessing.get_context("fork").Process(target=work).start()
    time.sleep(60)
"""


def test_a_killed_process_leaves_no_lock_though_its_workers_live(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        try:
            assert Run(folder.path).is_locked()
            process.kill()
            process.wait()
            os.kill(worker, 0)  # it is there
            assert not Run(folder.path).is_locked()
            with folder.locked():
                pass
        finally:
            process.kill()
            os.kill(worker, signal.SIGKILL)


def test_progress_is_gone_when_the_results_are_there(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.progress.write_text("{}")
    folder.write_metrics({})
    assert not folder.progress.exists()
