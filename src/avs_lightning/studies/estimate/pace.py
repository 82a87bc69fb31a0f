"""How fast cells go on this machine: from those that have ended here, else from steps and a trial, measured now."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch

from avs_lightning.errors import UserError
from avs_lightning.machine import available_cores, gpu_names
from avs_lightning.methods.base import SegmentationMethod
from avs_lightning.methods.building import build_method, method_arguments, method_kind
from avs_lightning.run import Run
from avs_lightning.run.names import CLIP_SCORES, METRICS, PICTURES
from avs_lightning.run.names import CLIPS as KEPT
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.estimate.disk import folder_bytes
from avs_lightning.studies.estimate.step_times import (
    BUSY,
    network_steps,
    overlapped,
    picture_seconds,
    quickest,
    reading_seconds,
)
from avs_lightning.studies.estimate.trial import CLIPS, EPOCHS, Trial
from avs_lightning.studies.estimate.workload import Workload
from avs_lightning.targets import check_targets, part_name
from avs_lightning.training.signature import leaves

NO_PARTS = ("paths", "data", "init", "optimizer", "schedule", "trainer", "callbacks", "logger", "launcher")
"""Groups that are no parts of the method."""


@dataclass(frozen=True)
class Pace:
    """Seconds of what a cell is made of, and the bytes that it leaves.

    Attributes:
        start: everything before the first step and after the last result.
        step: a training step, waiting for its clips included.
        epoch: what an epoch takes besides: workers, checkpoints.
        val_clip: a clip in validation.
        picture: drawing one clip.
        test: what a test takes besides its clips: workers, pictures, records.
        test_clip: a clip in a test.
        size: bytes of the run's folder.
    """

    start: float
    step: float
    epoch: float
    val_clip: float
    picture: float
    test: float
    test_clip: float
    size: float

    def parts(self, work: Workload) -> dict[str, float]:
        """Return the seconds of each part of a cell; their sum is the cell's."""
        return {
            "start": self.start,
            "training": work.steps * self.step + work.epochs * self.epoch,
            "validation": work.val_clips * self.val_clip + work.pictures * self.picture,
            "test": self.test + work.sounds * work.test_clips * self.test_clip if work.sounds else 0.0,
        }


def network_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what decides how long a step takes: the method's parts but for its `quick_settings`, clips, precision."""
    data, trainer = config["data"], config["trainer"]
    kind = method_kind(config)
    parts = {name: node for name, node in config.items() if isinstance(node, Mapping) and node and name not in NO_PARTS}
    names = [
        part_name(node)
        for name, node in sorted(parts.items(), reverse=True)
        if name not in ("method", *kind.quick_settings)
    ]
    options = dict(leaves(config["method"], "method."))
    names += [
        f"{key}={value}"
        for key, value in sorted(options.items())
        if not key.startswith(("method._", *kind.quick_settings))
    ]
    size, batch = f"{data['image_size']}²", f"{data['batch_size']} clips a batch"
    return *names, size, batch, str(trainer["precision"])


def extent_of(config: Mapping[str, Any]) -> int:
    """Return how much there is in what `network_of` leaves out: the more, the slower among cells alike."""
    kind = method_kind(config)
    values = (value for key, value in leaves(config) if key.startswith(kind.quick_settings))
    return sum(len(value) if isinstance(value, Sequence) else 1 for value in values)


def ended_paces(store: Path, networks: set[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[Pace, int]]:
    """Read the paces of cells that have ended on a machine like this one.

    Args:
        store: the folder of all cells.
        networks: those of interest, as `network_of` returns them.

    Returns:
        By network the median pace and of how many cells it is.
    """
    found: dict[tuple[str, ...], list[Pace]] = {}
    for file in store.glob(f"*/{METRICS}"):
        for network, pace in _ended_pace(file.parent):
            if network in networks:
                found.setdefault(network, []).append(pace)
    medians = {name: Pace(*map(statistics.median, zip(*map(astuple, paces)))) for name, paces in found.items()}
    return {name: (pace, len(found[name])) for name, pace in medians.items()}


def measured_pace(cell: Cell, slots: int, trial: Trial, slowdown: float) -> Pace:
    """Time a cell's training steps, evaluation and reading, and add what a trial has shown.

    Args:
        cell: with the network in question.
        slots: how many cells run at a time, which share the cores.
        trial: of any cell of the study.
        slowdown: how many times as long everything takes because of others on this machine, see `present_slowdown`.
    """
    config, cores = cell.config, max(1, available_cores() // slots)
    cuda = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    method = build_method(config, trial.data, {})
    batch = int(config["data"]["batch_size"])
    threads = max(1, torch.get_num_threads() // slots)
    steps = network_steps(method, trial.data.example_batch(batch), str(config["trainer"]["precision"]), cuda)
    trained, evaluated = (quickest(step, threads, cuda, slowdown > BUSY) for step in steps)
    own, heard = reading_seconds(trial.data, config)

    def with_reading(seconds: float, clips: int, read: float) -> float:
        workers = int(config["data"].get("workers") or 0)
        return overlapped(seconds, clips * read, workers, cores, 0 if cuda else threads)

    step, val_clip = with_reading(trained, batch, own), with_reading(evaluated / batch, 1, own)
    test_clip = with_reading(evaluated / batch, 1, heard)
    training, testing, whole = (seconds / slowdown for seconds in (trial.training, trial.testing, trial.whole))
    work = Workload.of(cell)
    of_clips = EPOCHS * CLIPS * (trained + evaluated) / batch
    return Pace(
        start=max(0.0, whole - training - testing),
        step=step,
        epoch=max(0.0, training - of_clips) / EPOCHS,
        val_clip=val_clip,
        picture=picture_seconds(method, trial.data.example_batch()) if work.pictures else 0.0,
        test=max(0.0, testing - CLIPS * work.sounds * evaluated / batch),
        test_clip=test_clip,
        size=run_bytes(method, trial, work, config),
    )


def run_bytes(method: SegmentationMethod, trial: Trial, work: Workload, config: Mapping[str, Any]) -> float:
    """Return what a run leaves on the disk: best.ckpt with the weights, last.ckpt with Adam's two moments too.

    Pictures and clips grow with what is drawn and kept; all else is as in the trial.
    """
    named = tuple(
        f"{part}." for part in method.published_parts(method_arguments(type(method), config, trial.data))
    )  # not stored, but named
    entries = {name: tensor for name, tensor in method.state_dict().items() if not name.startswith(named)}
    weights = sum(tensor.numel() * tensor.element_size() for tensor in entries.values())
    moments = 2 * sum(p.numel() * p.element_size() for p in method.parameters() if p.requires_grad)
    files = dict(trial.files)
    drawn, kept = files.pop(PICTURES, 0) / CLIPS, files.pop(KEPT, 0) / CLIPS
    count = int((config["callbacks"].get("clips") or {}).get("count", 0))
    pictures = work.pictures + int((config["callbacks"].get("pictures") or {}).get("clips") or 0)
    return 2 * weights + moments + drawn * pictures + kept * min(3 * count, work.test_clips) + sum(files.values())


def _ended_pace(folder: Path) -> Iterator[tuple[tuple[str, ...], Pace]]:
    """The pace of a cell that ended here with a test; nothing where its files don't tell."""
    with suppress(OSError, ValueError, KeyError, TypeError, ZeroDivisionError, UserError):
        run, results = Run(folder), Run(folder).results
        if (run.environment["cores"], run.environment["gpus"]) != (available_cores(), gpu_names()):
            return
        check_targets(run.config["method"], folder)  # a folder may come from anybody, and names are imported below
        clips = sum(1 for _ in (folder / CLIP_SCORES).open()) - 1
        test_clip = results.cost["test_seconds"] / (clips * len(results.scores))
        step = results.cost["train_seconds"] / (results.steps or 0)
        yield (
            network_of(run.config),
            Pace(results.cost["start_seconds"], step, 0.0, 0.0, 0.0, 0.0, test_clip, folder_bytes(folder)),
        )
