"""A run's Weights & Biases run: whether there is one, its id, what its workspace shows, and its end."""

import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from avs_lightning.data.sound_names import PROBES
from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.reporting.console import console
from avs_lightning.run import Run
from avs_lightning.training.epochs import with_epoch_from_one
from avs_lightning.training.wandb_folders import ID, offline_folders, parent_folder
from avs_lightning.training.wandb_variables import mode as mode_of_environment

STEP, EPOCH = "trainer/global_step", "epoch"  # the axes, under the names that Lightning logs
TAG_LENGTH = 64  # W&B refuses longer ones


class Dashboard(WandbLogger):
    """Lightning's logger, with epochs from one, and less the method's arguments, which the configuration holds.

    Args:
        run: the `wandb.Run`.
        training: it is of a training, and not of an evaluation.
    """

    def __init__(self, run: Any, training: bool = True) -> None:
        super().__init__(experiment=run)
        self.training = training

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values, their epoch from one."""
        super().log_metrics(with_epoch_from_one(metrics, self.training), step)

    def log_hyperparams(self, params: Any) -> None:
        """Nothing."""


def start_wandb(cfg: DictConfig, folder: Path, mode: str) -> Any:
    """Start the W&B run (a `wandb.Run`) under an id that is kept in the folder, so that resuming goes on in it.

    The agent of a W&B sweep names its run in WANDB_RUN_ID; that one is taken.

    Raises:
        UserError: W&B cannot be started.
    """
    import wandb

    options, kept = cfg.logger.wandb, folder / ID
    known = kept.read_text().strip() if kept.exists() else None
    os.environ["WANDB_MODE"] = mode  # wandb reads it before it is told, and may not know it
    with explained_start(mode):
        parent = parent_folder(cfg, folder)
        parent.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=options.project,
            entity=options.get("entity"),
            name=options.get("name") or cfg.name,
            group=options.get("group"),
            job_type=options.get("job_type") or ("train" if is_training(cfg) else "eval"),
            tags=[str(tag)[:TAG_LENGTH] for tag in options.get("tags") or []],
            notes=options.get("notes"),
            dir=parent,
            id=os.environ.get("WANDB_RUN_ID") or known or secrets.token_hex(4),
            resume="allow",
            mode=mode,  # type: ignore[arg-type]
            config=run_config(cfg, Run(folder)),
            settings=wandb.Settings(silent=True),
        )
    if run.id != known:
        write_whole(kept, run.id)
    define_metrics(run, cfg)
    if mode == "online":
        console.print(f"W&B: {run.url}", soft_wrap=True)
    return run


def run_config(cfg: DictConfig, run: Run) -> dict[str, Any]:
    """Return the configuration with what the run's record says of its command and its code."""
    code = run.environment["code"]
    config: Any = OmegaConf.to_container(cfg, resolve=True)
    return {**config, "command": shlex.join(run.command or []), "commit": code.get("commit")}


def is_training(cfg: DictConfig) -> bool:
    """Tell a training from an evaluation, which has a checkpoint to test."""
    return "checkpoint" not in cfg


def define_metrics(run: Any, cfg: DictConfig) -> None:
    """Give every curve its axis and its summary, and leave out those that are a single point.

    Scores of training are summarised by their best epoch, losses by their lowest; the test scores are summary values,
    which the charts at the end of the run bring together (`avs_lightning.reporting.wandb_media`).
    """
    for axis in (STEP, EPOCH):
        run.define_metric(axis, hidden=True)
    split = cfg.get("split") or "test"
    for sounds in (split, *(f"{split}_{probe}" for probe in PROBES)):
        run.define_metric(f"{sounds}/*", hidden=True)
    if not is_training(cfg):
        return
    # W&B takes the first pattern that fits, whatever its length, but a whole name before any: patterns may not overlap.
    run.define_metric("train/*", step_metric=STEP)
    for name in ("train/loss", "train/loss_step", "train/loss_epoch"):
        run.define_metric(name, step_metric=STEP, summary="min")
    run.define_metric("lr-*", step_metric=STEP)
    for name in ("val/miou_*", "val/fscore_*"):
        run.define_metric(name, step_metric=EPOCH, summary="max")
    run.define_metric("val/false_positive_rate", step_metric=EPOCH)
    run.define_metric("val_clips/*", step_metric=EPOCH)
    run.define_metric("cost/*", step_metric=EPOCH)


def wandb_mode(given: str | None) -> str:
    """Return online, offline or disabled: as configured, else as WANDB_MODE says, else online where there is a key.

    Raises:
        UserError: WANDB_MODE is unknown, or what stands for a key is none.
    """
    if mode := given or mode_of_environment():
        return mode
    with explained_start("online"):
        return "online" if has_key() else "offline"


def has_key() -> bool:
    """Say whether W&B finds a key for its server; asks no server and nobody.

    Raises:
        wandb.Error, ValueError: what it finds is no key, or one of its variables is wrong.
    """
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    return bool(wandb.login(prompt=False, verify=False))


@contextmanager
def explained_start(mode: str) -> Iterator[None]:
    """Say what to do where W&B does not start.

    Raises:
        UserError: it does not.
    """
    import wandb

    try:
        yield
    except (wandb.Error, ValueError, OSError) as error:  # ValueError: of its settings, from WANDB_* too
        raise UserError(
            f"W&B ({mode}) cannot be started: {error}; log in (wandb login), or go without a server "
            "(logger.wandb.mode=offline), or without W&B (logger=csv)"
        ) from error


def finish_wandb(loggers: Sequence[Logger], failed: bool = False) -> str | None:
    """End the W&B run (Lightning never does: the next one would write into it); return the line that uploads it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            run = logger.experiment
            run.finish(exit_code=int(failed))
            folders = offline_folders(Path(run.dir).parents[2], run.id)
            return shlex.join(["wandb", "sync", *map(str, folders)]) if run.offline else None
    return None
