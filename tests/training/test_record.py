"""What a run writes when it begins."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from avs_lightning.command import typed
from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.training.record import open_run
from avs_lightning.training.run_log import RunLog

CFG = OmegaConf.create({"name": "a", "again": "${name}"})


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    yield
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
        root.removeHandler(handler)
        handler.close()


def test_configuration_environment_and_log(tmp_path: Path) -> None:
    run = Run(tmp_path / "a" / "run")
    open_run(run, CFG)
    logging.getLogger("somewhere").warning("something")
    assert run.config == {"name": "a", "again": "a"}
    assert {"started", "command", "python", "cores", "gpus", "packages", "code"} <= run.environment.keys()
    assert "WARNING somewhere: something" in (run.folder / "run.log").read_text()


def test_the_command_that_began_a_run_stays_beside_those_that_go_on(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for cfg, words in ((CFG, ["avs", "train"]), (OmegaConf.create({"resume": "x"}), ["avs", "train", "resume=x"])):
        with typed(words):
            open_run(run, cfg)
    assert (run.command, run.environment["resumed_by"]) == (["avs", "train"], ["avs", "train", "resume=x"])
    with typed(["avs", "train", "seed=1"]):
        open_run(run, CFG)  # another run, in the place of one that failed before its first checkpoint
    assert run.command == ["avs", "train", "seed=1"]
    assert "resumed_by" not in run.environment


def test_two_runs_of_a_process_have_their_own_logs(tmp_path: Path) -> None:
    for name in ("one", "two"):
        open_run(Run(tmp_path / name), CFG)
        logging.getLogger("somewhere").error("said in %s", name)
    for name, other in (("one", "two"), ("two", "one")):
        text = (tmp_path / name / "run.log").read_text()
        assert f"said in {name}" in text
        assert f"said in {other}" not in text


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: .*paths.output_dir=\.\.\."):
        open_run(Run(tmp_path / "file" / "run"), CFG)
