"""progress.json: how far a run is, for whoever waits for it in another process."""

import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn

from avs_lightning.data import ClipDataModule
from avs_lightning.run import Progress, Run

TRAINED_CLIP = 3  # a training step costs about three times what scoring a clip costs: forward, and backward twice that


class RunProgress(Callback):
    """Writes a run's `Progress` into its folder (`default_root_dir`), about once a second, from the first process.

    The share of training and of testing is an estimate by numbers of clips; data that is no
    `ClipDataModule` does not say what will be tested, and the training is all.

    Args:
        test_sets: how often the test split will be gone through; 0 for no test.
        interval: seconds from one writing to the next, at least.
    """

    def __init__(self, test_sets: int = 1, interval: float = 1.0):
        self.test_sets = test_sets
        self.interval = interval
        self._next = 0.0
        self._train_share = 0.0
        self._trained = 0.0
        self._batches_tested = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._train_share = 1.0
        if isinstance(data := trainer.datamodule, ClipDataModule):  # type: ignore[attr-defined]
            tested = self.test_sets * len(data.dataset("test")) if self.test_sets else 0
            epochs, validated = max(1, trainer.max_epochs or 1), 1 / (trainer.check_val_every_n_epoch or 1)
            trained = epochs * (TRAINED_CLIP * len(data.dataset("train")) + validated * len(data.dataset("val")))
            self._train_share = trained / (trained + tested)
        self._write(trainer, "train", now=True)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        steps = trainer.estimated_stepping_batches
        self._trained = min(1.0, trainer.global_step / steps) if 0 < steps < math.inf else 0.0
        self._write(trainer, "train")

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._write(trainer, "train")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trained, self._batches_tested = 1.0, 0
        self._write(trainer, "test", now=True)

    def on_test_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._batches_tested += 1
        self._write(trainer, "test")

    def _write(self, trainer: pl.Trainer, phase: str, now: bool = False) -> None:
        started = time.perf_counter()
        if not trainer.is_global_zero or (started < self._next and not now):
            return
        tested = self._batches_tested / max(1, sum(trainer.num_test_batches)) if phase == "test" else 0.0
        progress = Progress(
            fraction=round(self._train_share * self._trained + (1 - self._train_share) * tested, 4),
            phase=phase,
            epoch=trainer.current_epoch + (phase == "train"),  # after the training: the last one
            epochs=trainer.max_epochs,
            updated=time.time(),
        )
        with suppress(OSError):  # a run does not end because nobody can see how far it is
            Run(Path(trainer.default_root_dir)).report(progress)
        ended = time.perf_counter()
        self._next = ended + max(self.interval, 50 * (ended - started))  # a slow disk takes 2% of the time at most
