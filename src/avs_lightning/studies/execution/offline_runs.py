"""What the cells of a study have logged to W&B offline, in one folder from which it is uploaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from avs_lightning.studies.cells.cell import Cell
from avs_lightning.training.wandb_folders import ID, offline_folders, parent_folder

LINKS = "wandb"


def link_offline_runs(folder: Path, cells: Sequence[Cell]) -> Path | None:
    """Link what is not uploaded yet into `folder`/wandb, where `wandb sync` finds it.

    Args:
        folder: of the study.
        cells: of the study, and those they start from.

    Returns:
        `folder`/wandb; None where nothing waits.
    """
    links = folder / LINKS
    shutil.rmtree(links, ignore_errors=True)
    for run in (run for cell in cells for run in offline_runs(cell)):
        links.mkdir(exist_ok=True)
        (links / run.name).symlink_to(os.path.relpath(run, links))
    return links if links.exists() else None


def offline_runs(cell: Cell) -> Iterator[Path]:
    """Yield the folders of a cell that `wandb sync` has not marked as uploaded."""
    kept = cell.folder / ID
    if cell.config["logger"].get("wandb") and kept.exists():
        for run in offline_folders(parent_folder(cell.config, cell.folder), kept.read_text().strip()):
            if not list(run.glob("*.wandb.synced")):
                yield run
