"""The Lightning Trainer of a run."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger

from avs_lightning.errors import UserError
from avs_lightning.reporting.pictures import ClipPictures
from avs_lightning.training.checkpoint_io import AtomicCheckpointIO
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.sync_batch_norm import BatchNormSync


def build_trainer(cfg: DictConfig, folder: RunFolder, loggers: Sequence[Logger]) -> pl.Trainer:
    """Build the Trainer from `cfg.trainer`, whose keys are Lightning's own, and `cfg.callbacks`.

    Raises:
        UserError: Lightning refuses the arguments (an accelerator that is not there, too many devices).
    """
    given: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    options = {name: value for name, value in given.items() if value is not None}
    plugins: list[Any] = [AtomicCheckpointIO()]
    if options.pop("sync_batchnorm", False) and _several(options):
        plugins.append(BatchNormSync())
    if _several(options) and options["strategy"] == "auto":
        options["strategy"] = "ddp"
    try:
        return pl.Trainer(
            **options,
            default_root_dir=folder.path,
            logger=list(loggers),
            callbacks=build_callbacks(cfg, folder),
            plugins=plugins,
            use_distributed_sampler=False,  # the datamodule's samplers know the processes
            enable_model_summary=False,  # the network's table, with shapes, is printed instead
            barebones=False,
        )
    except (pl.utilities.exceptions.MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"the trainer cannot be built from trainer.*: {error}") from error


def build_callbacks(cfg: DictConfig, folder: RunFolder) -> list[Callback]:
    """Build checkpointing (training alone), pictures, the learning rate's log and the progress bar."""
    callbacks: list[Callback] = []
    if cfg.trainer.enable_progress_bar:
        callbacks.append(RichProgressBar(leave=False))
    if cfg.callbacks.pictures.clips:
        callbacks.append(
            ClipPictures(folder.pictures, cfg.callbacks.pictures.clips, cfg.callbacks.pictures.every_n_epochs)
        )
    if "checkpoint" in cfg.callbacks:
        callbacks += [LearningRateMonitor("step"), *checkpoints(cfg.callbacks.checkpoint, folder)]
    return callbacks


def checkpoints(options: DictConfig, folder: RunFolder) -> list[Callback]:
    """Return what writes best.ckpt and, at the end of every epoch, last.ckpt."""
    best = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename="best",
        monitor=options.monitor,
        mode=options.mode,
        save_top_k=1,
        save_last=True,
        save_on_train_epoch_end=True,  # after validation, when the epoch is whole: resuming starts the next one
        enable_version_counter=False,
    )
    return [best, InterruptedCheckpoint(folder)]


class InterruptedCheckpoint(Callback):
    """On Ctrl-C or an error in the middle of an epoch, leaves the weights as they are in interrupted.ckpt.

    `avs eval` reads it; resuming goes on from last.ckpt, the end of the last whole epoch, and so repeats exactly what
    an uninterrupted run computes.
    """

    def __init__(self, folder: RunFolder):
        self.path = folder.checkpoints / "interrupted.ckpt"

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0 and not (self.path.parent / "last.ckpt").exists():
            trainer.save_checkpoint(self.path.parent / "last.ckpt")

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if trainer.training and trainer.world_size == 1 and not isinstance(exception, UserError):
            trainer.save_checkpoint(self.path)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self.path.unlink(missing_ok=True)


def _several(options: dict[str, Any]) -> bool:
    devices = options.get("devices", 1)
    count = len(devices) if isinstance(devices, list) else devices
    return count not in (1, "1") or options.get("num_nodes", 1) > 1
