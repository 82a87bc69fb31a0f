"""What a run's folder says of the run: how far it is, what came out, why it failed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from avs_lightning.files import write_whole
from avs_lightning.run.files import RunFiles
from avs_lightning.run.names import CONFIG, ENVIRONMENT, FAILURE, LAST, LOCK, METRICS, PROGRESS
from avs_lightning.run.results import Results


class State(StrEnum):
    """How far a run has come."""

    DONE = "done"
    RESUMED = "resumed"
    NEW = "new"
    FAILED = "failed"
    RUNNING = "running"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        fraction: of the whole run, 0 to 1; an estimate by numbers of clips.
        phase: "train" or "test".
        epoch: from 1.
        epochs: of the training; -1 where steps alone end it.
        updated: when this was written, unix seconds.
    """

    fraction: float
    phase: str = ""
    epoch: int = 0
    epochs: int | None = None
    updated: float = 0.0

    def __str__(self) -> str:
        if self.phase != "train":
            return self.phase
        of = f"/{self.epochs}" if (self.epochs or -1) > 0 else ""  # trainer.max_steps alone may end it
        return f"train, epoch {self.epoch}{of}"


class Run:
    """A run, read from its folder at the moment of asking; whatever is missing or damaged is empty."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.is_locked():
            return State.RUNNING
        if self.is_done:
            return State.DONE
        if self.failure:
            return State.FAILED
        return State.RESUMED if (self.folder / LAST).exists() else State.NEW

    @property
    def is_done(self) -> bool:
        """Whether its results are there."""
        return self._mapping(METRICS) is not None

    @property
    def is_cut(self) -> bool:
        """Whether there is a metrics.json that cannot be read."""
        return (self.folder / METRICS).exists() and not self.is_done

    @property
    def results(self) -> Results:
        """What came out; empty where the run is not done."""
        return Results.read(self._mapping(METRICS) or {})

    @property
    def progress(self) -> Progress | None:
        """What the run says about itself while it goes on; None where it says nothing, or nothing that can be read."""
        content = self._mapping(PROGRESS) or {}
        known = {field.name: content[field.name] for field in fields(Progress) if field.name in content}
        return Progress(**known) if "fraction" in known else None

    @property
    def config(self) -> dict[str, Any]:
        """The configuration it was started with."""
        return self._mapping(CONFIG) or {}

    @property
    def environment(self) -> dict[str, Any]:
        """The command, the machine, the packages and the code of its last start."""
        return self._mapping(ENVIRONMENT) or {}

    @property
    def failure(self) -> str:
        """Why the last attempt failed, or nothing."""
        return str((self._mapping(FAILURE) or {}).get("why", ""))

    @property
    def code(self) -> str | None:
        """The hash of the code that has trained what the folder holds; None where it holds nothing."""
        if not ((self.folder / LAST).exists() or (self.folder / METRICS).exists()):
            return None
        code = self.environment.get("code")
        return str(code.get("results", "unknown")) if isinstance(code, dict) else "unknown"

    def fail(self, why: str) -> None:
        """Leave why it failed in the folder."""
        write_whole(
            self.folder / FAILURE, json.dumps({"why": why, "when": datetime.now(UTC).isoformat(timespec="seconds")})
        )

    def is_locked(self) -> bool:
        """Say whether a process, this one included, is writing here."""
        if not (self.folder / LOCK).exists():
            return False
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        return False

    def _mapping(self, name: str) -> dict[str, Any] | None:
        files = RunFiles(self.folder)
        content = files.mapping(name)
        return content if content or not (files.missing or files.damaged) else None
