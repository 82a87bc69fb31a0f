"""The checkpoints of a run: the best weights, what a run goes on from, and weights from the middle of an epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.trainer.states import TrainerFn

from avs_lightning.errors import UserError
from avs_lightning.run import Run


class BestCheckpoint(Checkpoint):
    """Leaves in best.ckpt the weights of the validation with the best score, right when they have been scored.

    Where a training stops in the middle of an epoch because its time is up, Lightning validates once more. That score
    does not count: the same run with more time has no validation there.

    Args:
        monitor: name of the score, "val/miou_frame" or another that the method logs.
        mode: "max" or "min".

    Attributes:
        score: the best so far; None before the first validation.
    """

    def __init__(self, monitor: str = "val/miou_frame", mode: str = "max"):
        self.monitor = monitor
        self.sign = {"max": 1.0, "min": -1.0}[mode]
        self.score: float | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or (trainer.state.fn == TrainerFn.FITTING and not is_scheduled(trainer)):
            return
        score = trainer.callback_metrics[self.monitor].item()
        better = self.score is None or self.sign * score > self.sign * self.score
        if trainer.strategy.broadcast(better):
            self.score = score
            trainer.save_checkpoint(run_of(trainer).best, weights_only=True)

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.score = state_dict["score"]

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        for name, state in checkpoint["callbacks"].items():  # of a run that an earlier version of this package began
            if name.startswith("ModelCheckpoint") and state["best_model_score"] is not None:
                self.score = state["best_model_score"].item()


class LastCheckpoint(Checkpoint):
    """Leaves what resuming starts from in last.ckpt: before the first step, and at the end of every whole epoch.

    A run that goes on begins the next epoch as the run that has not stopped does. Lightning's own way of resuming does
    something else as soon as steps limit the training: it ends the last epoch once more, without any step.

    Attributes:
        epochs: how many whole epochs have been trained.
    """

    def __init__(self) -> None:
        self.epochs = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        last = run_of(trainer).last
        if not trainer.strategy.broadcast(last.exists()):  # the first process's view: it is the one that writes
            trainer.save_checkpoint(last)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_last_batch:  # else a limit has cut the epoch: going on repeats it from its start
            self.epochs += 1
            trainer.save_checkpoint(run_of(trainer).last)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        set_counters(trainer, checkpoint.pop("loops")["fit_loop"])  # what is not there, Lightning does not restore
        self.epochs = trainer.current_epoch


class InterruptedCheckpoint(Callback):
    """Leaves the weights as they are in interrupted.ckpt where a training stops in the middle of an epoch.

    That is on Ctrl-C, on an error, or at the last of a number of steps or seconds. `avs eval` reads it; resuming goes
    on from last.ckpt, the end of the last whole epoch, and so repeats exactly what an uninterrupted run computes.
    """

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        fitting = trainer.state.fn == TrainerFn.FITTING and trainer.global_step > 0
        if fitting and trainer.world_size == 1 and not isinstance(exception, (UserError, OSError)):
            trainer.save_checkpoint(run_of(trainer).interrupted, weights_only=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_last_batch:
            trainer.save_checkpoint(run_of(trainer).interrupted, weights_only=True)
        elif trainer.is_global_zero:
            run_of(trainer).interrupted.unlink(missing_ok=True)


def run_of(trainer: pl.Trainer) -> Run:
    """Return the run of a trainer."""
    return Run(Path(trainer.default_root_dir))


def is_scheduled(trainer: pl.Trainer) -> bool:
    """Say whether the present validation is one of a longer training, too, by the number of its batch or the clock."""
    loop = trainer.fit_loop
    batch = loop.total_batch_idx if trainer.check_val_every_n_epoch is None else loop.batch_idx
    return trainer.val_check_batch is None or (batch + 1) % trainer.val_check_batch == 0


def set_counters(trainer: pl.Trainer, loops: Mapping[str, Any]) -> None:
    """Have a new Trainer count on from the end of an epoch, as if it had trained up to there itself.

    Args:
        trainer: has trained nothing.
        loops: the state of the fit loop in a checkpoint.

    Raises:
        UserError: more has been trained than the limits allow, or the checkpoint is of the middle of an epoch.
    """
    batches, steps = loops["epoch_loop.batch_progress"], loops["epoch_loop.automatic_optimization.optim_progress"]
    if batches["current"]["ready"] and not batches["is_last_batch"]:
        raise UserError(
            "last.ckpt is from the middle of an epoch, where an earlier version of this package has ended a training: "
            "nothing goes on from there; begin a new run from its weights (init.checkpoint=FILE)"
        )
    epochs, steps = loops["epoch_progress"]["current"]["processed"], steps["optimizer"]["step"]["total"]["completed"]
    for name, limit, count in (("max_epochs", trainer.max_epochs, epochs), ("max_steps", trainer.max_steps, steps)):
        if limit is not None and 0 <= limit < count:
            raise UserError(f"trainer.{name}={limit}: the run has trained {count} already; give that or more")
    loop = trainer.fit_loop
    loop.epoch_progress.increment_by(epochs)
    loop.epoch_loop.batch_progress.total.increment_by(batches["total"]["completed"])
    loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total.increment_by(steps)
    loop.epoch_loop._batches_that_stepped = loops["epoch_loop.state_dict"]["_batches_that_stepped"]
