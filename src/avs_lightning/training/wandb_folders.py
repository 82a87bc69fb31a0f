"""Where W&B keeps what a run has logged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

ID = "wandb_id.txt"
"""The file in a run's folder that keeps the id of its W&B run."""


def parent_folder(config: Mapping[str, Any], run: Path) -> Path:
    """Return the folder that holds W&B's own, wandb/: as configured, else the run's."""
    return Path(config["logger"]["wandb"].get("dir") or run)


def offline_folders(parent: Path, run_id: str) -> list[Path]:
    """Return what a run has left offline, in order: a folder each time that it went on."""
    return sorted((parent / "wandb").glob(f"offline-run-*-{run_id}"))
