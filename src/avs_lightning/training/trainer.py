"""The Lightning Trainer of a run."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch.nn import Parameter

from avs_lightning.errors import UserError
from avs_lightning.methods.optimizers import build_optimizer
from avs_lightning.training.checkpoint_io import AtomicCheckpointIO
from avs_lightning.training.devices import check_processes, process_count
from avs_lightning.training.launcher import PeerLauncher
from avs_lightning.training.precision import check_precision
from avs_lightning.training.sync_batch_norm import BatchNormSync


def build_trainer(
    settings: Mapping[str, Any],
    folder: Path,
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback],
    idle: Callable[[], Sequence[str]] = list,
) -> pl.Trainer:
    """Build the Trainer from the settings of `trainer`, whose keys are Lightning's own.

    Args:
        settings: plain values.
        folder: of the run: callbacks find it as `default_root_dir`.
        loggers: see `run_loggers`.
        callbacks: see `build_callbacks`.
        idle: names the trained parameters that the loss does not reach; asked where there are several processes.

    Raises:
        UserError: Lightning refuses the arguments (an accelerator that is not there, too many devices).
    """
    options = {name: value for name, value in settings.items() if value is not None or takes_none(name)}
    check_processes(settings)
    several = process_count(settings) > 1
    plugins: list[Any] = [AtomicCheckpointIO()]
    if options.pop("sync_batchnorm", False) and several:
        plugins.append(BatchNormSync())
    if several and options["strategy"] == "auto":  # processes wait for each gradient, and forever for one not to come
        options["strategy"] = "ddp_find_unused_parameters_true" if idle() else "ddp"
    try:
        trainer = pl.Trainer(
            **options,
            default_root_dir=folder,
            logger=list(loggers),
            callbacks=list(callbacks),
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


def check_settings(config: Mapping[str, Any]) -> None:
    """Refuse what cannot lead to the results that are asked for, before anything is built.

    Raises:
        UserError: a precision that this machine does not have, an optimiser that cannot be built, settings that leave
            no best checkpoint, or Lightning's dry run, which leaves nothing.
    """
    trainer = config["trainer"]
    check_precision(trainer, training=True)
    build_optimizer([Parameter(torch.zeros(1))], config["optimizer"], config["schedule"], lambda: 1)
    if trainer.get("fast_dev_run"):
        raise UserError(
            f"trainer.fast_dev_run={trainer['fast_dev_run']}: Lightning then writes no logs, and a run is made of "
            "them; debug=fast runs two batches of everything and leaves a whole run"
        )
    without = {
        "trainer.limit_val_batches=0": trainer["limit_val_batches"] == 0 and not trainer.get("overfit_batches"),
        "callbacks.checkpoint=null": config["callbacks"].get("checkpoint") is None,
    }
    if config["test"] and any(without.values()):
        raise UserError(
            f"{next(setting for setting in without if without[setting])}: without validation, and what keeps the "
            "weights of the best, there is no best checkpoint to test; test=false trains without"
        )
