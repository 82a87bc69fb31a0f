"""What a study will take, from a few training steps of each of its networks, measured here and now."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.table import Table

from avs_lightning.data import ClipBatch
from avs_lightning.data.metadata import SPLITS
from avs_lightning.data.probes import chosen_probes
from avs_lightning.reporting.console import spoken
from avs_lightning.studies.cells import Cell
from avs_lightning.studies.plan import State
from avs_lightning.studies.run import all_scores, states_of
from avs_lightning.training.progress import read_progress
from avs_lightning.training.train import build_method

STEPS = 3
FRAMES = 5


@dataclass(frozen=True)
class Speed:
    """Seconds, medians after a warm-up: of one training step, and of one clip in evaluation."""

    step: float
    eval_clip: float


def estimate(cells: Sequence[Cell], slots: int) -> Table:
    """Measure each kind of network once and lay out how long the cells that are left will take.

    Args:
        cells: of the study.
        slots: how many run at a time.
    """
    states = states_of(cells, all_scores)
    left = [cell for cell in cells if states[cell.signature] != State.DONE and cell.command == "train"]
    table = Table(
        title="Estimate of time, from training steps on this machine", title_style="bold", header_style="bold"
    )
    for column in ("network", "cells left", "step", "steps a cell", "a cell"):
        table.add_column(column, justify="left" if column == "network" else "right")
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in left:
        groups.setdefault(network_of(cell.config), []).append(cell)
    total = 0.0
    for network, members in groups.items():
        speed = measure(largest(members).config, slots)
        seconds = [cell_seconds(cell, speed) for cell in members]
        total += sum(time_left(cell, whole) for cell, whole in zip(members, seconds))
        steps = statistics.median(training_steps(cell) for cell in members)
        table.add_row(
            " ".join(network), str(len(members)), f"{1000 * speed.step:.0f} ms", f"{steps:,.0f}",
            spoken(statistics.median(seconds)),
        )  # fmt: skip
    table.add_section()
    table.add_row("all", str(len(left)), "", "", f"{spoken(total / max(1, min(slots, len(left) or 1)))}")
    at_a_time = f"{slots} cells at a time" if slots > 1 else "one cell after another"
    table.caption = f"{at_a_time}; reading clips and starting processes not included; each network at its most stages"
    return table


def network_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what decides how long a step takes; the fusion stages, which cost little, are left out."""
    network, data, trainer = config["method"]["network"], config["data"], config["trainer"]
    size, batch = f"{data['image_size']}²", f"{data['batch_size']} clips a batch"
    return str(network["encoder"]), str(network["decoder"]), size, batch, str(trainer["precision"])


def largest(cells: Sequence[Cell]) -> Cell:
    """Return the cell with the most fusion stages."""
    return max(cells, key=lambda cell: len(cell.config["method"]["network"]["stages"]))


def measure(config: Mapping[str, Any], slots: int) -> Speed:
    """Time training steps and evaluation of a configuration on random clips, in this process."""
    cuda = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    device = torch.device("cuda" if cuda else "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // slots))
    try:
        method = build_method(OmegaConf.create(dict(config)), fresh=False).to(device).train()
        optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad])
        batch = random_batch(int(config["data"]["batch_size"]), int(config["data"]["image_size"])).to(device)
        bf16 = "bf16" in str(config["trainer"]["precision"])

        def step() -> None:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                loss = torch.stack(list(method.losses(method(batch), batch).values())).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        def evaluation() -> None:
            with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                method(batch)

        trained = _median(step, cuda)
        method.eval()
        return Speed(trained, _median(evaluation, cuda) / len(batch))
    finally:
        torch.set_num_threads(threads)


def time_left(cell: Cell, seconds: float) -> float:
    """Return how many of its seconds a cell that was cut off still needs."""
    progress = read_progress(cell.folder) or {}
    return seconds * (1 - float(progress.get("fraction", 0.0)))


def cell_seconds(cell: Cell, speed: Speed) -> float:
    """Return the seconds that a whole cell takes: its training, its validations, its test with every sound."""
    batches = training_batches(cell)
    epochs = training_steps(cell) / batches if batches else 0
    evaluated = evaluated_clips(cell, "val") * epochs / int(cell.config["trainer"].get("check_val_every_n_epoch") or 1)
    if cell.config.get("test", True):
        sounds = chosen_probes(cell.config.get("probes"), cell.config.get("probe_sounds"))
        evaluated += evaluated_clips(cell, "test") * (1 + len(sounds))
    devices, nodes = cell.processes
    return training_steps(cell) * speed.step + evaluated * speed.eval_clip / (devices * nodes)


def training_steps(cell: Cell) -> int:
    """Return a cell's training steps; `max_epochs` and `max_steps` may each be open, but not both."""
    trainer = cell.config["trainer"]
    epochs, most = (-1 if trainer.get(key) is None else int(trainer[key]) for key in ("max_epochs", "max_steps"))
    steps = training_batches(cell) * epochs
    return max(most, 0) if epochs < 0 else steps if most < 0 else min(steps, most)


def training_batches(cell: Cell) -> int:
    """Return the batches of an epoch; several processes share the clips."""
    devices, nodes = cell.processes
    batches = math.ceil(clip_counts(cell)["train"] / (cell.config["data"]["batch_size"] * devices * nodes))
    return _limited(batches, cell.config["trainer"].get("limit_train_batches"))


def evaluated_clips(cell: Cell, split: str) -> int:
    """Return the clips of one validation or test."""
    devices, nodes = cell.processes
    clips, batch = clip_counts(cell)[split], cell.config["data"]["eval_batch_size"] * devices * nodes
    return min(clips, batch * _limited(math.ceil(clips / batch), cell.config["trainer"].get(f"limit_{split}_batches")))


def clip_counts(cell: Cell) -> dict[str, int]:
    """Return the number of clips of each split, of a synthetic set also before it is written.

    Raises:
        UserError: there is no data set.
    """
    return dict(_clip_counts(json.dumps(cell.config["data"], sort_keys=True)))


@cache
def _clip_counts(settings: str) -> tuple[tuple[str, int], ...]:
    data = json.loads(settings)
    if "synthetic" in data:
        counts = {split: int(data["synthetic"]["clips"].get(split, 0)) for split in SPLITS}
    else:
        module = instantiate(data, _convert_="all")
        counts = {split: len(module.dataset(split)) for split in SPLITS}
    limit = data.get("limit")
    return tuple((split, min(count, limit) if limit else count) for split, count in counts.items())


def _limited(batches: int, limit: float | None) -> int:
    if limit is None:
        return batches
    return int(batches * limit) if isinstance(limit, float) else min(batches, limit)


def random_batch(clips: int, size: int) -> ClipBatch:
    """Return clips of noise, all frames labelled."""
    return ClipBatch(
        images=torch.randn(clips, FRAMES, 3, size, size),
        log_mel=torch.randn(clips, FRAMES, 1, 96, 64),
        masks=(torch.rand(clips, FRAMES, 1, size, size) > 0.5).float(),
        labelled=torch.ones(clips, FRAMES, dtype=torch.bool),
        valid=torch.ones(clips, FRAMES, dtype=torch.bool),
        waveform=None,
        rate=16_000,
        ids=["noise"] * clips,
        categories=[""] * clips,
        indices=torch.arange(clips),
    )


def _median(work: Any, cuda: bool) -> float:
    work()
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
