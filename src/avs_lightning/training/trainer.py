"""The Lightning Trainer of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, Checkpoint, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.trainer.states import TrainerFn

from avs_lightning.errors import UserError
from avs_lightning.methods import SegmentationMethod
from avs_lightning.reporting.clip_records import ClipRecords
from avs_lightning.reporting.pictures import ClipPictures
from avs_lightning.reporting.tables import empty_batch
from avs_lightning.training.checkpoint_io import AtomicCheckpointIO
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.devices import check_processes, process_count
from avs_lightning.training.progress import RunProgress
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.sync_batch_norm import BatchNormSync


def build_trainer(
    cfg: DictConfig, folder: RunFolder, loggers: Sequence[Logger], method: SegmentationMethod, test_sets: int = 1
) -> pl.Trainer:
    """Build the Trainer from `cfg.trainer`, whose keys are Lightning's own, and `cfg.callbacks`.

    Args:
        cfg: the run's configuration.
        folder: where the run keeps its files.
        loggers: see `run_loggers`.
        method: what will be trained or tested.
        test_sets: how many sounds the test split will be heard with; 0 for no test.

    Raises:
        UserError: Lightning refuses the arguments (an accelerator that is not there, too many devices).
    """
    given: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    options = {name: value for name, value in given.items() if value is not None}
    check_processes(given)
    several = process_count(given) > 1
    plugins: list[Any] = [AtomicCheckpointIO()]
    if options.pop("sync_batchnorm", False) and several:
        plugins.append(BatchNormSync())
    if several and options["strategy"] == "auto":  # processes wait for each gradient, and forever for one not to come
        idle = "checkpoint" in cfg.callbacks and method.idle_parameters(empty_batch(cfg.data.image_size))
        options["strategy"] = "ddp_find_unused_parameters_true" if idle else "ddp"
    try:
        return pl.Trainer(
            **options,
            default_root_dir=folder.path,
            logger=list(loggers),
            callbacks=build_callbacks(cfg, folder, test_sets),
            plugins=plugins,
            use_distributed_sampler=False,  # the datamodule's samplers know the processes
            enable_model_summary=False,  # the network's table, with shapes, is printed instead
            barebones=False,
        )
    except (pl.utilities.exceptions.MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"the trainer cannot be built from trainer.*: {error}") from error


def build_callbacks(cfg: DictConfig, folder: RunFolder, test_sets: int = 1) -> list[Callback]:
    """Build what a run leaves besides its logs: progress, clips, pictures; in training its cost and checkpoints."""
    clips = cfg.callbacks.get("clips", {}).get("count", 4)  # runs of earlier versions have no such setting
    callbacks: list[Callback] = [
        RunProgress(folder.path, test_sets),
        ClipRecords(folder.path, clips),
    ]
    if cfg.trainer.enable_progress_bar:
        callbacks.append(RichProgressBar(leave=False))
    if cfg.callbacks.pictures.clips:
        callbacks.append(
            ClipPictures(folder.pictures, cfg.callbacks.pictures.clips, cfg.callbacks.pictures.every_n_epochs)
        )
    if "checkpoint" in cfg.callbacks:
        callbacks += [TrainingCost(), LearningRateMonitor("step"), *checkpoints(cfg.callbacks.checkpoint, folder)]
    return callbacks


def checkpoints(options: DictConfig, folder: RunFolder) -> list[Callback]:
    """Return what writes best.ckpt, last.ckpt and interrupted.ckpt; last.ckpt comes after the best one it speaks of."""
    best = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename="best",
        monitor=options.monitor,
        mode=options.mode,
        save_top_k=1,
        save_on_train_epoch_end=True,  # after validation, when the epoch is whole: resuming starts the next one
        enable_version_counter=False,
    )
    return [best, LastCheckpoint(folder.last), InterruptedCheckpoint(folder.interrupted)]


class LastCheckpoint(Checkpoint):
    """Leaves what resuming starts from in last.ckpt: before the first step, and at the end of every epoch.

    Lightning's own `save_last` writes only when the best one is written.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.strategy.broadcast(self.path.exists()):  # the first process's view: it is the one that writes
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.save_checkpoint(self.path)


class InterruptedCheckpoint(Callback):
    """On Ctrl-C or an error in the middle of an epoch, leaves the weights as they are in interrupted.ckpt.

    `avs eval` reads it; resuming goes on from last.ckpt, the end of the last whole epoch, and so repeats exactly what
    an uninterrupted run computes.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        fitting = trainer.state.fn == TrainerFn.FITTING and trainer.global_step > 0
        if fitting and trainer.world_size == 1 and not isinstance(exception, (UserError, OSError)):
            trainer.save_checkpoint(self.path)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self.path.unlink(missing_ok=True)
