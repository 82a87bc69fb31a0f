"""metrics.csv always; Weights & Biases beside it, offline unless a key or the mode says otherwise."""

import netrc
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, WandbLogger

from avs_lightning.errors import UserError
from avs_lightning.reporting.console import console, is_first_process
from avs_lightning.training.metrics_csv import MetricsCSV
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.whole_files import replacing

MODES = ("online", "offline", "disabled")


@contextmanager
def run_loggers(cfg: DictConfig, folder: RunFolder) -> Iterator[list[Logger]]:
    """The loggers of a run, ended with it; prints the line that uploads what W&B has logged offline."""
    loggers = build_loggers(cfg, folder)
    status = "failed"
    try:
        yield loggers
        status = "success"
    finally:
        for logger in loggers:
            logger.finalize(status)
        if line := finish_wandb(loggers, failed=status == "failed"):
            console.print(f"W&B ran offline; to upload it: [bold]{line}[/]", soft_wrap=True)


def build_loggers(cfg: DictConfig, folder: RunFolder) -> list[Logger]:
    """Build the loggers of a run; a resumed run goes on in its own files and its own W&B run."""
    loggers: list[Logger] = [MetricsCSV(folder.path / "metrics.csv")]
    options = cfg.logger.get("wandb")
    if options and is_first_process():
        mode = wandb_mode(options.get("mode"))
        if mode != "disabled":
            loggers.append(WandbLogger(experiment=start_wandb(cfg, folder, mode)))
    return loggers


def start_wandb(cfg: DictConfig, folder: RunFolder, mode: str):  # type: ignore[no-untyped-def]  # wandb's Run
    """Start the run, under the id that is kept in the folder, so that resuming goes on in the same W&B run."""
    import wandb

    options, kept = cfg.logger.wandb, folder.path / "wandb_id.txt"
    if not kept.exists():
        with replacing(kept) as file:
            file.write(secrets.token_hex(4).encode())
    try:
        run = wandb.init(
            project=options.project,
            entity=options.get("entity"),
            name=cfg.name,
            group=options.get("group"),
            tags=list(options.get("tags") or []),
            dir=folder.path,
            id=kept.read_text().strip(),
            resume="allow",
            mode=mode,  # type: ignore[arg-type]
            config=OmegaConf.to_container(cfg, resolve=True),  # type: ignore[arg-type]
            settings=wandb.Settings(silent=True),
        )
    except (wandb.Error, ValueError) as error:  # the latter of its settings, from WANDB_* too
        raise UserError(
            f"W&B ({mode}) cannot be started: {error}; log in (wandb login), or go without a server "
            "(logger.wandb.mode=offline), or without W&B (logger=csv)"
        ) from error
    if mode == "online":
        console.print(f"W&B: {run.url}", soft_wrap=True)
    return run


def wandb_mode(asked: str | None) -> str:
    """Return online, offline or disabled: as configured, else WANDB_MODE, else online where there is a key."""
    mode = asked or os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
    if mode not in MODES:
        raise UserError(f"logger.wandb.mode={mode} is unknown; it is one of {', '.join(MODES)}")
    return mode


def has_key() -> bool:
    """Say whether W&B's key is in the environment or in .netrc; asks no server and nobody."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def finish_wandb(loggers: Sequence[Logger], failed: bool = False) -> str | None:
    """End the W&B run (Lightning never does: the next one would write into it); return the line that uploads it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            run = logger.experiment
            run.finish(exit_code=int(failed))
            # A resumed run has left a folder each time; wandb uploads them in order.
            folders = sorted(Path(run.dir).parents[1].glob(f"offline-run-*-{run.id}"))
            return f"wandb sync {' '.join(map(str, folders))}" if run.offline else None
    return None
