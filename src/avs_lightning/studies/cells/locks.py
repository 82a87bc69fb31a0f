"""Which command has a cell in hand, in whatever study: from before its process starts until after its end."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from avs_lightning.run import Run

LOCK = ".claim"
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
    lock = FileLock(folder / LOCK)
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
    if not (folder / LOCK).exists():
        return Run(folder).is_locked()
    taken = lock_cell(folder)
    if taken is None:
        return True
    taken.release()
    return False
