"""metrics.csv always; Weights & Biases beside it, offline unless a key or the mode says otherwise."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, WandbLogger

from avs_lightning.errors import UserError
from avs_lightning.training.metrics_csv import MetricsCSV
from avs_lightning.training.run_folder import RunFolder

MODES = ("online", "offline", "disabled")


def build_loggers(cfg: DictConfig, folder: RunFolder) -> list[Logger]:
    """Build the loggers of a run; a resumed run goes on in its own files and its own W&B run."""
    loggers: list[Logger] = [MetricsCSV(folder.path / "metrics.csv")]
    options = cfg.logger.get("wandb")
    mode = wandb_mode(options.get("mode")) if options else "disabled"
    if mode != "disabled":
        loggers.append(
            WandbLogger(
                project=options.project,
                entity=options.get("entity"),
                name=cfg.name,
                group=options.get("group"),
                tags=list(options.get("tags") or []),
                save_dir=folder.path,
                id=_run_id(folder.path / "wandb_id.txt"),
                offline=mode == "offline",
                config=OmegaConf.to_container(cfg, resolve=True),
            )
        )
    return loggers


def wandb_mode(asked: str | None) -> str:
    """Return online, offline or disabled: as configured, else WANDB_MODE, else online where there is a key."""
    mode = asked or os.environ.get("WANDB_MODE")
    if mode is None:
        import wandb

        mode = "online" if wandb.api.api_key else "offline"
    if mode not in MODES:
        raise UserError(f"logger.wandb.mode={mode} is unknown; it is one of {', '.join(MODES)}")
    return mode


def _run_id(path: Path) -> str:
    """The run's id, kept with the run so that resuming goes on in the same W&B run."""
    if not path.exists():
        path.write_text(secrets.token_hex(4))
    return path.read_text().strip()


def finish_wandb(loggers: Sequence[Logger]) -> str | None:
    """End the W&B run (Lightning never does: the next one would write into it); return the line that uploads it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            run: Any = wandb.run
            if run is None:
                return None
            folder, offline = Path(run.dir).parent, run.offline
            wandb.finish()
            return f"wandb sync {folder}" if offline else None
    return None
