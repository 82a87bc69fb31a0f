"""What a run's folder says of the run: how far it is, what came out, why it failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from avs_lightning.files import write_whole
from avs_lightning.run_files import RunFiles

CONFIG, ENVIRONMENT, METRICS = "config.yaml", "environment.json", "metrics.json"
PROGRESS, FAILURE, LOCK = "progress.json", "failed.json", ".lock"
LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"


class State(StrEnum):
    """How far a run has come."""

    DONE = "done"
    RESUMED = "resumed"
    NEW = "new"
    FAILED = "failed"
    RUNNING = "running"
    BLOCKED = "blocked"


class Run:
    """A run, read from its folder at the moment of asking; whatever is missing or damaged is empty."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.is_locked():
            return State.RUNNING
        if self.metrics is not None:
            return State.DONE
        if self.failure:
            return State.FAILED
        return State.RESUMED if (self.folder / LAST).exists() else State.NEW

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What metrics.json holds; None where the run is not done or the file is cut."""
        return self._mapping(METRICS)

    @property
    def is_cut(self) -> bool:
        """Whether there is a metrics.json that cannot be read."""
        return (self.folder / METRICS).exists() and self.metrics is None

    @property
    def progress(self) -> dict[str, Any] | None:
        """What the run says about itself while it goes on; None where it says nothing, or nothing that can be read."""
        progress = self._mapping(PROGRESS)
        return progress if progress and "fraction" in progress else None

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
