"""Everything that a run leaves behind is in its folder."""

import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

import avs_lightning
from avs_lightning.errors import UserError
from avs_lightning.training.whole_files import replacing

PACKAGES = (
    "torch", "torchvision", "torchaudio", "pytorch-lightning", "torchmetrics", "hydra-core", "timm",
    "segmentation-models-pytorch", "numpy", "wandb",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """The files of one run: config.yaml, environment.json, run.log, checkpoints/, metrics.csv and .json, pictures/."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.ckpt"

    @property
    def interrupted(self) -> Path:
        return self.checkpoints / "interrupted.ckpt"

    @property
    def metrics(self) -> Path:
        """Written last: a folder with this file holds a finished run."""
        return self.path / "metrics.json"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

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
            self.metrics.unlink(missing_ok=True)
            self._write(self.config, OmegaConf.to_yaml(cfg, resolve=True))
            self._write(self.path / "environment.json", json.dumps(describe_environment(), indent=2) + "\n")
            RunLog(self.path / "run.log").attach()
        except OSError as error:
            raise UserError(
                f"the run folder {self.path} cannot be written: {error}; give paths.output_dir=..."
            ) from error

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json whole: its presence says that the run is done."""
        self._write(self.metrics, json.dumps(metrics, indent=2) + "\n")

    @staticmethod
    def _write(path: Path, text: str) -> None:
        with replacing(path) as file:
            file.write(text.encode())


class RunLog(logging.FileHandler):
    """run.log. It stays open after the run, for what is said about its end, until the process opens the next one."""

    def attach(self) -> None:
        """Take the place of an earlier run's log."""
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        for earlier in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
            root.removeHandler(earlier)
            earlier.close()
        root.addHandler(self)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: what keeps the log from being written (a full disk) is reported by the run itself."""


def describe_environment() -> dict[str, Any]:
    """Return the machine, the packages and the code version, as plain values."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "code": code_version(),
    }


def code_version() -> dict[str, Any]:
    """Return the package's version, a hash of its sources and, in a git checkout, the commit."""
    root = Path(avs_lightning.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    version: dict[str, Any] = {"version": avs_lightning.__version__, "sources": digest.hexdigest()[:12]}
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True, check=True).stdout
        version |= {"commit": commit, "dirty": bool(dirty)}
    except (OSError, subprocess.CalledProcessError):
        pass  # not a checkout: the hash of the sources speaks for the code
    return version
