"""A trial of a cell: the real command on a handful of clips, for what no step and no clip accounts for."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from avs_lightning.data import ClipDataModule
from avs_lightning.methods.loading import without_weights
from avs_lightning.run import Run
from avs_lightning.run.names import CHECKPOINTS
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.data import build_data
from avs_lightning.studies.estimate.disk import folder_bytes
from avs_lightning.studies.execution.processes import LocalJob, LocalJobs

CLIPS = 2
EPOCHS = 2
PATIENCE = 120.0
"""Seconds that a trial may take; what it takes up to then is its start."""


@dataclass(frozen=True)
class Trial:
    """What a trial has shown. Seconds are those of the clock, bytes those of its folder.

    Attributes:
        data: the trial's few clips.
        drawing: of one clip on the processor, where they were drawn for it; else None.
        drawn_bytes: of one drawn clip.
        whole: the process from its start to its end.
        training: of that, `EPOCHS` epochs of `CLIPS` steps of one clip and as many clips of validation.
        testing: of that, the test of `CLIPS` clips with every sound.
        files: bytes by the folder's entries, checkpoints left out.
        failure: why it failed; empty where it did not.
    """

    data: ClipDataModule
    drawing: float | None
    drawn_bytes: int
    whole: float
    training: float
    testing: float
    files: Mapping[str, int]
    failure: str = ""


def run_trial(cell: Cell, folder: Path) -> Trial:
    """Train and test a cell on a few clips, on the processor's one core or one GPU, without a dashboard's server.

    Args:
        cell: any that trains; it starts from no checkpoint here and fetches no weights.
        folder: an empty one for all that this leaves.
    """
    config = trial_config(cell.config, folder)
    data = build_data(config["data"])
    began, drawn = time.process_time(), "synthetic" in config["data"]
    data.prepare_data()
    drawing = time.process_time() - began
    clips = 3 * CLIPS
    run = replace(cell, config=config, folder=folder / "run")
    Run(run.folder).write_config(config)
    began = time.perf_counter()
    job = LocalJob(run.folder, "train", LocalJobs(jobs=1).environment(0, 1) | {"OMP_NUM_THREADS": "1"})
    try:
        while (code := job.poll()) is None and time.perf_counter() - began < PATIENCE:
            time.sleep(0.05)
    finally:
        job.stop()
    cost = Run(run.folder).results.cost
    return Trial(
        data=data,
        drawing=drawing / clips if drawn else None,
        drawn_bytes=folder_bytes(folder / "data") // clips if drawn else 0,
        whole=time.perf_counter() - began,
        training=float(cost.get("train_seconds", 0.0)),
        testing=float(cost.get("test_seconds", 0.0)),
        files={path.name: folder_bytes(path) for path in run.folder.iterdir() if path.name != CHECKPOINTS},
        failure=job.why() if code else "",
    )


def trial_config(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a cell's configuration for a trial: its own in all but the number of clips, epochs and devices."""
    config: dict[str, Any] = copy.deepcopy(without_weights(given))
    cuda = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    config["paths"]["output_dir"] = str(folder / "run")
    config["init"]["checkpoint"] = None
    config["data"] |= {"batch_size": 1, "eval_batch_size": 1, "limit": CLIPS}
    if "synthetic" in config["data"]:
        drawn = {"clips": dict.fromkeys(("train", "val", "test"), CLIPS), "workers": 1, "progress": False}
        config["data"] |= {"root": str(folder / "data"), "synthetic": {**config["data"]["synthetic"], **drawn}}
    config["trainer"] |= {
        "accelerator": "auto" if cuda else "cpu", "devices": 1, "num_nodes": 1, "max_epochs": EPOCHS, "max_steps": -1,
        "check_val_every_n_epoch": 1, "enable_progress_bar": False,
        **{f"limit_{split}_batches": None for split in ("train", "val", "test")},
    }  # fmt: skip
    config["callbacks"].get("pictures", {})["every_n_epochs"] = 10 * EPOCHS
    if config["logger"].get("wandb"):
        config["logger"]["wandb"] |= {"mode": "offline", "dir": None, "log_model": False}
    return config | {"dry_run": False, "resume": None}
