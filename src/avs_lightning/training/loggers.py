"""metrics.csv always; Weights & Biases beside it, offline unless a key or the mode says otherwise."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, WandbLogger

from avs_lightning.data.fingerprint import data_identity
from avs_lightning.reporting.console import is_first_process, say
from avs_lightning.reporting.wandb_media import log_results
from avs_lightning.run import Run
from avs_lightning.run.names import HISTORY
from avs_lightning.targets import build_parts
from avs_lightning.training.metrics_csv import MetricsCSV
from avs_lightning.training.wandb_run import Dashboard, finish_wandb, is_training, start_wandb, wandb_mode


@contextmanager
def run_loggers(cfg: DictConfig, run: Run) -> Iterator[list[Logger]]:
    """The loggers of a run, ended with it; prints the line that uploads what W&B has logged offline."""
    loggers = build_loggers(cfg, run)
    status = "failed"
    try:
        yield loggers
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                upload = cfg.logger.wandb.get("log_model")
                log_results(logger.experiment, run.folder, run.best if upload else None)
        status = "success"
    finally:
        for logger in loggers:
            logger.finalize(status)
        if line := finish_wandb(loggers, failed=status == "failed"):
            say(f"W&B ran offline; to upload it: {line}")


def log_data(loggers: Iterable[Logger], datamodule: Any) -> None:
    """Have W&B's configuration say which data it is: its fingerprint, and whether it was drawn."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            datamodule.prepare_data()
            logger.experiment.config.update(data_identity(datamodule))


def build_loggers(cfg: DictConfig, run: Run) -> list[Logger]:
    """Build the loggers of a run; a resumed run goes on in its own files and its own W&B run."""
    loggers: list[Logger] = [MetricsCSV(run.folder / HISTORY, is_training(cfg))]
    named: dict[str, Any] = OmegaConf.to_container(cfg.logger, resolve=True)  # type: ignore[assignment]
    dashboard = named.pop("wandb", None)
    if dashboard and is_first_process():
        mode = wandb_mode(dashboard.get("mode"))
        if mode != "disabled":
            loggers.append(Dashboard(start_wandb(cfg, run.folder, mode), is_training(cfg)))
    return loggers + build_parts(named, "logger", Logger, save_dir=run.folder)  # type: ignore[type-abstract]
