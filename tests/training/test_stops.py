"""What is said about a run that stops before its end."""

import errno
from pathlib import Path

import pytest
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.training.stops import explained_stops


def stop(folder: Path, error: BaseException) -> None:
    with explained_stops(Run(folder)):
        raise error


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(tmp_path: Path, code: int) -> None:
    with pytest.raises(UserError, match=r"pictures/a.png could not be written: .*; free some space"):
        stop(tmp_path, OSError(code, "no", str(tmp_path / "pictures/a.png")))


def test_other_trouble_with_files_is_not_explained_away(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        stop(tmp_path, PermissionError(errno.EACCES, "no"))


def test_what_lightning_refuses(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such metric"):
        stop(tmp_path, MisconfigurationException("no such metric"))


def test_ctrl_c_names_the_checkpoint_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="nothing to go on from"):
        stop(tmp_path, SystemExit(1))
    run = Run(tmp_path)
    run.last.parent.mkdir()
    run.last.touch()
    with pytest.raises(KeyboardInterrupt, match=f"resume={tmp_path} .* checkpoint={run.last} "):
        stop(tmp_path, SystemExit(1))
    run.interrupted.touch()
    with pytest.raises(KeyboardInterrupt, match=f"resume={tmp_path} .* checkpoint={run.interrupted} "):
        stop(tmp_path, SystemExit(1))
