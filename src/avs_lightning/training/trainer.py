"""The Lightning Trainer of a run."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, Checkpoint, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.trainer.states import TrainerFn

from avs_lightning.errors import UserError
from avs_lightning.reporting.clip_records import ClipRecords
from avs_lightning.reporting.pictures import ClipPictures
from avs_lightning.training.checkpoint_io import AtomicCheckpointIO
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.progress import RunProgress
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.sync_batch_norm import BatchNormSync


def build_trainer(cfg: DictConfig, folder: RunFolder, loggers: Sequence[Logger], test_sets: int = 1) -> pl.Trainer:
    """Build the Trainer from `cfg.trainer`, whose keys are Lightning's own, and `cfg.callbacks`.

    Args:
        cfg: the run's configuration.
        folder: where the run keeps its files.
        loggers: see `run_loggers`.
        test_sets: how many sounds the test split will be heard with; 0 for no test.

    Raises:
        UserError: Lightning refuses the arguments (an accelerator that is not there, too many devices).
    """
    given: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    options = {name: value for name, value in given.items() if value is not None}
    plugins: list[Any] = [AtomicCheckpointIO()]
    if options.pop("sync_batchnorm", False) and _several(options):
        plugins.append(BatchNormSync())
    if _several(options) and options["strategy"] == "auto":
        options["strategy"] = "ddp" if uses_every_parameter(cfg) else "ddp_find_unused_parameters_true"
    check_processes(options)
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


def uses_every_parameter(cfg: DictConfig) -> bool:
    """Say whether each trained parameter has a part in the loss, which several processes otherwise wait for in vain.

    Without TPAVI nothing hears the audio encoder, unless L_AVM projects its vectors.
    """
    method = cfg.get("method")
    return not method or bool(method.network.stages) or bool(method.loss.get("project"))


def check_processes(options: dict[str, Any]) -> None:
    """Refuse more processes than cores: Lightning would start them all. Two are always allowed, to try it out."""
    cores, devices = os.cpu_count() or 1, options.get("devices")
    on_cpu = options["accelerator"] == "cpu" or (options["accelerator"] == "auto" and not torch.cuda.is_available())
    if on_cpu and isinstance(devices, int) and devices > max(2, cores):
        raise UserError(f"trainer.devices={devices}: on the CPU each is a process, and this machine has {cores} cores")


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


def _several(options: dict[str, Any]) -> bool:
    devices = options.get("devices", 1)
    count = len(devices) if isinstance(devices, list) else devices
    return count not in (1, "1") or options.get("num_nodes", 1) > 1
