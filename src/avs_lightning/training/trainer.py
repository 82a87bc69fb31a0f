"""The Lightning Trainer of a run."""

import inspect
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LearningRateMonitor
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch.nn import Parameter

from avs_lightning.data import ClipBatch
from avs_lightning.errors import UserError, choose
from avs_lightning.methods import SegmentationMethod
from avs_lightning.methods.optimizers import build_optimizer
from avs_lightning.reporting.clip_records import ClipRecords
from avs_lightning.reporting.pictures import ClipPictures
from avs_lightning.targets import build
from avs_lightning.training.checkpoint_io import AtomicCheckpointIO
from avs_lightning.training.checkpoints import BestCheckpoint, InterruptedCheckpoint, LastCheckpoint
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.devices import check_processes, process_count
from avs_lightning.training.gradient_norm import GradientNorm
from avs_lightning.training.history import EpochBar, History
from avs_lightning.training.launcher import PeerLauncher
from avs_lightning.training.precision import check_precision
from avs_lightning.training.progress import RunProgress
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.sync_batch_norm import BatchNormSync

T = TypeVar("T")


def build_trainer(
    cfg: DictConfig,
    folder: RunFolder,
    loggers: Sequence[Logger],
    method: SegmentationMethod,
    example: ClipBatch,
    test_sets: int = 1,
) -> pl.Trainer:
    """Build the Trainer from `cfg.trainer`, whose keys are Lightning's own, and `cfg.callbacks`.

    Args:
        cfg: the run's configuration.
        folder: where the run keeps its files.
        loggers: see `run_loggers`.
        method: what will be trained or tested.
        example: a batch like those to come.
        test_sets: how many sounds the test split will be heard with; 0 for no test.

    Raises:
        UserError: Lightning refuses the arguments (an accelerator that is not there, too many devices).
    """
    given = plain(cfg.trainer)
    options = {name: value for name, value in given.items() if value is not None or takes_none(name)}
    check_processes(given)
    several = process_count(given) > 1
    plugins: list[Any] = [AtomicCheckpointIO()]
    if options.pop("sync_batchnorm", False) and several:
        plugins.append(BatchNormSync())
    if several and options["strategy"] == "auto":  # processes wait for each gradient, and forever for one not to come
        idle = "checkpoint" in cfg.callbacks and method.idle_parameters(example)
        options["strategy"] = "ddp_find_unused_parameters_true" if idle else "ddp"
    try:
        trainer = pl.Trainer(
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
    if isinstance(launcher := trainer.strategy.launcher, _SubprocessScriptLauncher):
        trainer.strategy._launcher = PeerLauncher(
            launcher.cluster_environment, launcher.num_processes, launcher.num_nodes
        )
    return trainer


def plain(settings: Any) -> Any:
    """Return settings resolved, as plain values."""
    return OmegaConf.to_container(settings, resolve=True)


def takes_none(name: str) -> bool:
    """Say whether None means something to the Trainer's argument; elsewhere null leaves the argument out."""
    argument = inspect.signature(pl.Trainer.__init__).parameters.get(name)
    return argument is not None and type(None) in get_args(argument.annotation)


def build_callbacks(cfg: DictConfig, folder: RunFolder, test_sets: int = 1) -> list[Callback]:
    """Build what a run leaves besides its logs: progress, clips, pictures; in training its cost and checkpoints."""
    clips = cfg.callbacks.get("clips", {}).get("count", 4)  # runs of earlier versions have no such setting
    callbacks: list[Callback] = [
        RunProgress(folder.path, test_sets),
        ClipRecords(folder.path, clips),
    ]
    if cfg.trainer.enable_progress_bar:
        callbacks.append(EpochBar())
    if cfg.callbacks.pictures.clips:
        callbacks.append(
            ClipPictures(folder.pictures, cfg.callbacks.pictures.clips, cfg.callbacks.pictures.every_n_epochs)
        )
    callbacks += named_parts(cfg.callbacks, "callbacks", Callback)
    if "checkpoint" in cfg.callbacks:
        callbacks += [TrainingCost(), GradientNorm(), History(folder.curves), LearningRateMonitor("step")]
        callbacks += checkpoints(cfg.callbacks.checkpoint, folder)
    return callbacks


def checkpoints(options: DictConfig, folder: RunFolder) -> list[Callback]:
    """Return what writes best.ckpt, last.ckpt and interrupted.ckpt; last.ckpt comes after the best one it speaks of."""
    best = BestCheckpoint(folder.best, options.monitor, options.mode)
    return [best, LastCheckpoint(folder.last), InterruptedCheckpoint(folder.interrupted)]


def named_parts(settings: DictConfig, group: str, base: type[T]) -> list[T]:
    """Build the members of a group that name a class by `_target_`.

    Raises:
        UserError: there is no such class, or it refuses its arguments.
    """
    named = {name: node for name, node in plain(settings).items() if isinstance(node, dict) and "_target_" in node}
    return [build(node, f"{group}.{name}", base) for name, node in named.items()]


def check_settings(cfg: DictConfig) -> None:
    """Refuse what cannot lead to the results that are asked for, before anything is built.

    Raises:
        UserError: a precision that this machine does not have, an optimiser that cannot be built, settings that leave
            no best checkpoint, or Lightning's dry run, which leaves nothing.
    """
    check_precision(cfg.trainer, training=True)
    optimizer, schedule = cfg.optimizer, cfg.schedule
    build_optimizer([Parameter(torch.zeros(1))], plain(optimizer), plain(schedule), lambda: 1)
    if cfg.trainer.get("fast_dev_run"):
        raise UserError(
            f"trainer.fast_dev_run={cfg.trainer.fast_dev_run}: Lightning then writes no logs, and a run is made of "
            "them; debug=fast runs two batches of everything and leaves a whole run"
        )
    if cfg.test and cfg.trainer.limit_val_batches == 0 and not cfg.trainer.get("overfit_batches"):
        raise UserError(
            f"trainer.limit_val_batches={cfg.trainer.limit_val_batches}: without validation there is no best "
            "checkpoint to test; test=false trains without both"
        )


def check_monitor(monitor: str, method: SegmentationMethod) -> None:
    """See that the method will log the score that chooses the best checkpoint.

    Raises:
        UserError: it will not.
    """
    choose(monitor, [f"val/{name}" for name in method.score_names], "callbacks.checkpoint.monitor")
