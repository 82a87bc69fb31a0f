"""Everything that a run leaves behind is in its folder."""

import importlib.metadata
import json
import logging
import platform
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from avs_lightning.command import typed_words
from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.machine import available_cores, gpu_names, memory_gib
from avs_lightning.run import Run
from avs_lightning.run.names import BEST, CONFIG, ENVIRONMENT, LAST, LOCK, METRICS, PROGRESS
from avs_lightning.sources import code_version
from avs_lightning.training.run_log import RunLog

PACKAGES = (
    "torch", "torchvision", "torchaudio", "pytorch-lightning", "torchmetrics", "hydra-core", "timm",
    "segmentation-models-pytorch", "numpy", "wandb",
)  # fmt: skip


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run: config.yaml, run.log, checkpoints/, metrics.csv, metrics.json, clips.csv, clips/, ..."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / CONFIG

    @property
    def environment(self) -> Path:
        """The machine, the packages and the code of the run's last start."""
        return self.path / ENVIRONMENT

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.path / LAST

    @property
    def best(self) -> Path:
        return self.path / BEST

    @property
    def interrupted(self) -> Path:
        return self.checkpoints / "interrupted.ckpt"

    @property
    def metrics(self) -> Path:
        """Written last: a folder with this file holds a finished run."""
        return self.path / METRICS

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def curves(self) -> Path:
        """Training loss and validation score by epoch."""
        return self.pictures / "curves.png"

    @property
    def progress(self) -> Path:
        """Only there while the run goes on, or where it was cut off, see `avs_lightning.training.progress`."""
        return self.path / PROGRESS

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder for this process; the kernel lets it go however the process ends.

        Raises:
            UserError: another process has it, or the folder cannot be written.
        """
        lock = FileLock(self.path / LOCK)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=1, poll_interval=0.05)  # `is_locked` of another process may have it for a moment
        except Timeout:
            raise UserError(
                f"{self.path} is in use: another process is writing a run there; wait for it or stop it, "
                "or choose another folder (paths.output_dir=...)"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def check_free(self) -> None:
        """See that the folder holds no run; what failed before its first checkpoint is none.

        Raises:
            UserError: it holds one.
        """
        if self.config.exists() and (self.last.exists() or self.metrics.exists()):
            raise UserError(
                f"{self.path} already holds a run: go on with it by avs train resume={self.path}, "
                "or choose another folder (paths.output_dir=...)"
            )

    def open(self, cfg: DictConfig) -> None:
        """Create the folder, write the configuration and the environment, and start the log.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.progress.unlink(missing_ok=True)
            self.metrics.unlink(missing_ok=True)
            write_whole(self.config, OmegaConf.to_yaml(cfg, resolve=True))
            began = self._first_command() if cfg.get("resume") else None
            write_whole(self.environment, json.dumps(describe_environment(began), indent=2) + "\n")
            RunLog(self.path / "run.log").attach()
            log.info("%s", shlex.join(typed_words()))
        except OSError as error:
            raise self._unwritable(error) from error

    def _first_command(self) -> list[str] | None:
        """The command that began the run in this folder, as its last start has recorded it."""
        command = Run(self.path).environment.get("command")
        return command if isinstance(command, list) else None

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json whole: its presence says that the run is done."""
        write_whole(self.metrics, json.dumps(metrics, indent=2) + "\n")
        self.progress.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"the run folder {self.path} cannot be written: {error}; give paths.output_dir=...")


def describe_environment(began: list[str] | None = None) -> dict[str, Any]:
    """Return the command, the machine, the packages and the code version, as plain values.

    Args:
        began: the command that began the run, where the present one goes on with it.
    """
    command = typed_words()
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": began or command,
        **({"resumed_by": command} if began and command != began else {}),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": available_cores(),
        "memory_gib": memory_gib(),
        "gpus": gpu_names(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "code": code_version(),
    }
