"""How far a run is, read from its folder, and what keeps it for one process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from avs_lightning.errors import UserError
from avs_lightning.run import Progress, Results, Run, State


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    return tmp_path / "run"


def test_states(folder: Path) -> None:
    run = Run(folder)
    assert Run(folder / "nowhere").state == Run(folder).state == State.NEW
    run.last.touch()
    assert Run(folder).state == State.RESUMED
    Run(folder).fail("out of memory")
    assert Run(folder).state == State.FAILED
    assert Run(folder).failure == "out of memory"
    (folder / "metrics.json").write_text('{"scores": {}}')
    assert Run(folder).state == State.DONE
    with run.locked():
        assert Run(folder).state == State.RUNNING
    assert Run(folder).state == State.DONE


@pytest.mark.parametrize("text", ['{"scores": {"true": {"miou_ref', "", "[1]", "null", "\0\0"])
def test_results_that_were_cut_are_not_done_and_nothing_else_is_lost(folder: Path, text: str) -> None:
    run = Run(folder)
    run.last.touch()
    (folder / "metrics.json").write_text(text)
    assert not Run(folder).is_done
    assert Run(folder).results == Results()
    assert Run(folder).is_cut
    assert Run(folder).state == State.RESUMED
    assert (folder / "metrics.json").read_text() == text
    assert not Run(folder / "nowhere").is_cut


def test_a_damaged_note_of_a_failure_says_nothing(folder: Path) -> None:
    (folder / "failed.json").write_text('{"why')
    assert Run(folder).failure == ""
    assert Run(folder).state == State.NEW


def test_the_code_that_trained_a_folder(folder: Path) -> None:
    assert Run(folder).code is None
    Run(folder).last.touch()
    assert Run(folder).code == "unknown"
    (folder / "environment.json").write_text('{"code": {"results": "abc"}}')
    assert Run(folder).code == "abc"
    (folder / "environment.json").write_text('{"code"')
    assert Run(folder).code == "unknown"


def test_notes_are_whole_json(folder: Path) -> None:
    Run(folder).fail("why\nnot")
    assert json.loads((folder / "failed.json").read_text())["why"] == "why\nnot"
    assert not list(folder.glob("*.part"))


def test_only_a_run_with_results_or_a_checkpoint_takes_the_folder(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.check_free()
    run.begin({}, {})
    run.check_free()
    run.finish(Results())
    with pytest.raises(UserError, match=f"already holds a run: go on with it by avs train resume={tmp_path}"):
        run.check_free()
    run.begin({}, {})
    run.last.parent.mkdir()
    run.last.touch()
    with pytest.raises(UserError, match="already holds a run"):
        run.check_free()


def test_a_run_that_goes_on_is_not_finished_and_one_that_is_has_no_progress(tmp_path: Path) -> None:
    run = Run(tmp_path)
    config = {"name": "a", "rate": 1e-05, "text": "1e5"}
    run.begin(config, {"cores": 2})
    assert (run.config, run.environment) == (config, {"cores": 2})
    run.report(Progress(0.5, "train", 3, 4))
    assert str(run.progress) == "train, epoch 3/4"
    run.finish(Results(epochs=1, synthetic=False))
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"epochs": 1, "synthetic": False}
    assert (run.results, run.progress) == (Results(epochs=1, synthetic=False), None)
    run.begin(config, {})
    assert not run.is_done


def test_a_folder_is_one_process_s(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    assert not run.is_locked()
    assert not run.folder.exists()
    with run.locked():
        assert run.is_locked()
        with pytest.raises(UserError, match=f"{run.folder} is in use: another process"), run.locked():
            pass
        assert run.is_locked()
    assert not run.is_locked()
    with run.locked():
        pass


HOLD = """
import multiprocessing, os, sys, time
from pathlib import Path
from avs_lightning.run import Run
def work():  # as a loader's worker does
    print(os.getpid(), flush=True)  # once it runs: right after the fork it holds what its parent holds
    time.sleep(60)
with Run(Path(sys.argv[1])).locked():
    multiprocessing.get_context("fork").Process(target=work).start()
    time.sleep(60)
"""


def test_a_killed_process_leaves_no_lock_though_its_workers_live(tmp_path: Path) -> None:
    run = Run(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        try:
            assert run.is_locked()
            process.kill()
            process.wait()
            os.kill(worker, 0)  # it is there
            assert not run.is_locked()
            with run.locked():
                pass
        finally:
            process.kill()
            os.kill(worker, signal.SIGKILL)
