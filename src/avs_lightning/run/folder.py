"""What a run's folder says of the run: how far it is, what came out, why it failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.run.files import RunFiles
from avs_lightning.run.names import BEST, CONFIG, ENVIRONMENT, FAILURE, INTERRUPTED, LAST, LOCK, METRICS, PROGRESS
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
    """A run: its folder, read at the moment of asking; whatever is missing or damaged is empty.

    Args:
        folder: of the run; it need not be there.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def last(self) -> Path:
        """The checkpoint of the last whole epoch, from which the run goes on."""
        return self.folder / LAST

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation score."""
        return self.folder / BEST

    @property
    def interrupted(self) -> Path:
        """The weights of a training that was stopped within an epoch."""
        return self.folder / INTERRUPTED

    @property
    def is_begun(self) -> bool:
        """Whether there is anything to go on from; what failed before its first checkpoint has nothing."""
        return self.last.exists() or (self.folder / METRICS).exists()

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.is_locked():
            return State.RUNNING
        if self.is_done:
            return State.DONE
        if self.failure:
            return State.FAILED
        return State.RESUMED if self.last.exists() else State.NEW

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
        if not self.is_begun:
            return None
        code = self.environment.get("code")
        return str(code.get("results", "unknown")) if isinstance(code, dict) else "unknown"

    @property
    def command(self) -> list[str] | None:
        """The command that began it."""
        command = self.environment.get("command")
        return [str(word) for word in command] if isinstance(command, list) else None

    def check_free(self) -> None:
        """See that the folder holds no run.

        Raises:
            UserError: it holds one.
        """
        if self.is_begun and (self.folder / CONFIG).exists():
            raise UserError(
                f"{self.folder} already holds a run: go on with it by avs train resume={self.folder}, "
                "or choose another folder (paths.output_dir=...)"
            )

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the configuration, plain values, from where a process of the run reads it."""
        write_whole(self.folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))

    def begin(self, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Write what the run is, and take away what an earlier end has left."""
        for name in (PROGRESS, METRICS):
            (self.folder / name).unlink(missing_ok=True)
        self.write_config(config)
        write_whole(self.folder / ENVIRONMENT, json.dumps(environment, indent=2) + "\n")

    def report(self, progress: Progress) -> None:
        """Write how far the run is."""
        write_whole(self.folder / PROGRESS, json.dumps(asdict(progress)))

    def finish(self, results: Results) -> None:
        """Write the results whole: their presence says that the run is done."""
        write_whole(self.folder / METRICS, json.dumps(results.content(), indent=2) + "\n")
        (self.folder / PROGRESS).unlink(missing_ok=True)

    def fail(self, why: str) -> None:
        """Leave why it failed in the folder."""
        note = {"why": why, "when": datetime.now(UTC).isoformat(timespec="seconds")}
        write_whole(self.folder / FAILURE, json.dumps(note))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder for this process; the kernel lets it go however the process ends.

        Raises:
            UserError: another process has it, or the folder cannot be written.
        """
        lock = FileLock(self.folder / LOCK)
        try:
            with self.writing():
                self.folder.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=1, poll_interval=0.05)  # `is_locked` of another process may have it for a moment
        except Timeout:
            raise UserError(
                f"{self.folder} is in use: another process is writing a run there; wait for it or stop it, "
                "or choose another folder (paths.output_dir=...)"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Tell the user of a folder that cannot be written.

        Raises:
            UserError: it cannot.
        """
        try:
            yield
        except Timeout:
            raise
        except OSError as error:
            raise UserError(
                f"the run folder {self.folder} cannot be written: {error}; give paths.output_dir=..."
            ) from error

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
