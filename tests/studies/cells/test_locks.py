"""One command at a time has a study in hand."""

from pathlib import Path

import pytest
from filelock import FileLock

from avs_lightning.errors import UserError
from avs_lightning.studies.cells.locks import locked_study


def test_one_command_at_a_time_runs_a_study(tmp_path: Path) -> None:
    refused = pytest.raises(UserError, match="another command is running the study")
    with FileLock(tmp_path / ".lock"), refused, locked_study(tmp_path):
        raise AssertionError
    with locked_study(tmp_path), FileLock(tmp_path / "other"):
        pass
    with locked_study(tmp_path):  # it was let go
        pass
