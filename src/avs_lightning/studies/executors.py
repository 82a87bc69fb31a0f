"""What a launcher does for a study: it starts a cell's process and says how it ended."""

from pathlib import Path
from typing import Protocol


class Job(Protocol):
    """A cell that was handed over."""

    def poll(self) -> int | None:
        """Return None while it is queued or runs, 0 when it has ended well, else another number."""

    def stop(self) -> None:
        """End it, so that it can be gone on with."""

    def why(self) -> str:
        """Return in one line why it failed, and where its log is."""


class Executor(Protocol):
    """Where the cells of a study run."""

    slots: int
    """How many cells it takes at a time."""

    def start(self, folder: Path, command: str, processes: tuple[int, int]) -> Job:
        """Start `avs <command>` on a run folder that holds its configuration.

        Args:
            folder: of the run.
            command: "train" or "eval".
            processes: devices on each node, and nodes.
        """
