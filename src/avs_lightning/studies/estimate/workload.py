"""What a cell has to do, counted: steps, clips, sounds, pictures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache

from avs_lightning.data.sound_names import probe_names
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.data import build_data


@dataclass(frozen=True)
class Workload:
    """The work of one of a cell's processes.

    Attributes:
        epochs: of training.
        steps: of training, in all epochs together.
        val_clips: clips that are validated, in all epochs together.
        pictures: clips that are drawn in these validations.
        sounds: with which the test split is heard, its own included; 0 without a test.
        test_clips: clips of the test split.
    """

    epochs: int
    steps: int
    val_clips: int
    pictures: int
    sounds: int
    test_clips: int

    @classmethod
    def of(cls, cell: Cell) -> Workload:
        """Count what a cell has to do from its configuration and its data.

        Raises:
            UserError: there is no data set, or no such sound.
        """
        config = cell.config
        batches, steps = training_batches(cell), training_steps(cell)
        epochs = math.ceil(steps / batches) if batches else 0
        validations = epochs // int(config["trainer"].get("check_val_every_n_epoch") or 1)
        pictures = config["callbacks"].get("pictures") or {}
        drawings = epochs // int(pictures.get("every_n_epochs") or 1)
        sounds = 1 + len(probe_names(config.get("probes"), config.get("probe_sounds")))
        return cls(
            epochs=epochs,
            steps=steps,
            val_clips=validations * evaluated_clips(cell, "val"),
            pictures=min(validations, drawings) * int(pictures.get("clips") or 0),
            sounds=sounds if config.get("test", True) else 0,
            test_clips=evaluated_clips(cell, "test"),
        )


def training_steps(cell: Cell) -> int:
    """Return a cell's training steps; `max_epochs` and `max_steps` may each be open, but not both."""
    trainer = cell.config["trainer"]
    epochs, most = (-1 if trainer.get(key) is None else int(trainer[key]) for key in ("max_epochs", "max_steps"))
    steps = training_batches(cell) * epochs
    return max(most, 0) if epochs < 0 else steps if most < 0 else min(steps, most)


def training_batches(cell: Cell) -> int:
    """Return the batches of an epoch; several processes share the clips."""
    devices, nodes = cell.processes
    batches = math.ceil(split_sizes(cell)["train"] / (cell.config["data"]["batch_size"] * devices * nodes))
    return _limited(batches, cell.config["trainer"].get("limit_train_batches"))


def evaluated_clips(cell: Cell, split: str) -> int:
    """Return the clips of one validation or test that one process takes."""
    devices, nodes = cell.processes
    clips, batch = math.ceil(split_sizes(cell)[split] / (devices * nodes)), int(cell.config["data"]["eval_batch_size"])
    return min(clips, batch * _limited(math.ceil(clips / batch), cell.config["trainer"].get(f"limit_{split}_batches")))


def split_sizes(cell: Cell) -> dict[str, int]:
    """Return the number of clips of each split, of a synthetic set also before it is written.

    Raises:
        UserError: there is no data set.
    """
    return dict(_split_sizes(json.dumps(cell.config["data"], sort_keys=True)))


@cache
def _split_sizes(settings: str) -> tuple[tuple[str, int], ...]:
    return tuple(build_data(json.loads(settings)).clip_counts().items())


def _limited(batches: int, limit: float | None) -> int:
    if limit is None:
        return batches
    return int(batches * limit) if isinstance(limit, float) else min(batches, limit)
