"""Which command has a cell or a study in hand: a cell from before its process starts until after its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.run.names import LOCK

CELL_LOCK = ".claim"
"""The run's own lock comes seconds later, when its process has imported all, or hours later, when Slurm starts it."""


def lock_cell(folder: Path) -> FileLock | None:
    """Take a cell for this command; the kernel gives it back however the command ends.

    Args:
        folder: of the cell; made if it is not there.

    Returns:
        What to `release()`; None where another command has the cell, or a run of it is still ending.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / CELL_LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    if Run(folder).is_locked():
        lock.release()
        return None
    return lock


def is_in_hand(folder: Path) -> bool:
    """Say whether a command, this one included, has the cell in hand, or a run of it is going on."""
    if not (folder / CELL_LOCK).exists():
        return Run(folder).is_locked()
    taken = lock_cell(folder)
    if taken is None:
        return True
    taken.release()
    return False


@contextmanager
def locked_study(folder: Path) -> Iterator[None]:
    """Hold a study for one command.

    Raises:
        UserError: another command runs it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"another command is running the study {folder.name} (it holds {folder / LOCK}): wait for it "
            f"(avs study status {folder.name}), or stop it"
        ) from error
    try:
        yield
    finally:
        lock.release()
