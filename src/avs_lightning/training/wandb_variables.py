"""What W&B's variables say of a run: the defaults of `logger.wandb`."""

import os

from omegaconf import ListConfig, OmegaConf

from avs_lightning.errors import UserError, choose

MODES = {"online": "online", "offline": "offline", "disabled": "disabled", "dryrun": "offline", "run": "online"}
"""Values of WANDB_MODE, with what they mean; the last two are those of old versions of W&B, which still reads them."""


def variable(name: str, default: str | None = None) -> str | None:
    """Return what a variable says; an empty one says nothing."""
    return os.environ.get(name, "").strip() or default


def tags() -> ListConfig:
    """Return the tags in WANDB_TAGS."""
    return ListConfig([tag for text in os.environ.get("WANDB_TAGS", "").split(",") if (tag := text.strip())])


def mode() -> str | None:
    """Return online, offline or disabled as WANDB_MODE says it, None where it says nothing.

    Raises:
        UserError: it says something else.
    """
    if (given := variable("WANDB_MODE")) is None:
        return None
    if given == "shared":
        raise UserError(
            "WANDB_MODE=shared is for runs into which several processes write; here the first alone does: set it to "
            "online or offline"
        )
    return MODES[choose(given, MODES, "WANDB_MODE", ", or not set")]


def register_variables() -> None:
    """Let configurations name W&B's variables."""
    OmegaConf.register_new_resolver("wandb_variable", variable, replace=True)
    OmegaConf.register_new_resolver("wandb_tags", tags, replace=True)
    OmegaConf.register_new_resolver("wandb_mode", mode, replace=True)
