"""Which classes a stored configuration may name: a run folder or a checkpoint can come from anybody.

What a user composes from the command line, a study's file or a directory given there is the user's own, and the
processes that this command starts find it in AVS_TRUST. What a folder or a checkpoint holds is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avs_lightning.cli.overrides import options
from avs_lightning.errors import UserError

VARIABLE = "AVS_TRUST"
"""Classes, modules or packages, separated by commas, besides `PACKAGES`."""
PACKAGES = ("avs_lightning", "torch", "pytorch_lightning", "lightning", "torchmetrics", "timm", "wandb")


def check_targets(content: Any, source: str | Path, argv: Sequence[str] = ()) -> None:
    """See that a stored configuration names nothing but classes that may be built.

    Args:
        content: plain values.
        source: where they were stored.
        argv: the command line; what it names itself is the user's own.

    Raises:
        UserError: something else is named.
    """
    own = [*_trusted(), *named_in(argv)]
    for key, target in targets(content):
        if not (_below(target, own) or is_building_block(target)):
            module = str(target).rpartition(".")[0] or str(target)
            raise UserError(
                f"{source} names {key}={target}, and is not trusted: of what is stored, only classes of "
                f"{', '.join(PACKAGES)} for data, networks and training are built. If you know that code: "
                f"{VARIABLE}={module} before the command"
            )


def trust_targets(content: Any) -> None:
    """Let the processes that this one starts build what `content`, which the user has composed, names."""
    os.environ[VARIABLE] = ",".join(sorted({*_trusted(), *(str(target) for _, target in targets(content))}))


def targets(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each `_target_` below, with its dotted key."""
    if isinstance(content, DictConfig):
        content = OmegaConf.to_container(content)
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in items:
        inner = f"{key}.{name}".lstrip(".")
        if name == "_target_":
            yield inner, value
        yield from targets(value, inner)


def is_building_block(target: Any) -> bool:
    """Say whether a dotted name is that of a class of `PACKAGES` which a configuration may build by itself.

    A name leads through imported modules to any other (`torch.os.system`), and there are classes that start processes:
    what counts is where a class is defined, and what it derives from.
    """
    parts = str(target).split(".")
    if parts[0] not in PACKAGES or any(part.startswith("_") for part in parts):
        return False
    import pytorch_lightning as pl
    from hydra.utils import get_object
    from torch import nn, optim
    from torch.utils.data import Dataset

    kinds = (pl.LightningDataModule, pl.Callback, nn.Module, optim.Optimizer, optim.lr_scheduler.LRScheduler, Dataset)
    try:
        found = get_object(str(target))
    except Exception:  # of a module that fails to import
        return False
    loggers = pl.loggers.logger.Logger
    return (
        isinstance(found, type)
        and found.__module__.partition(".")[0] in PACKAGES
        and issubclass(found, (*kinds, loggers))
    )


def named_in(argv: Sequence[str]) -> list[str]:
    """Return what a command line names itself: KEY._target_=NAME, and the `_target_`s in its own directories."""
    names = [match[1] for word in argv if (match := re.fullmatch(r"[+\w.]*_target_=(.+)", word))]
    folders = [Path(value) for option, value in options(argv) if option in ("--config-dir", "-cd")]
    for file in (file for folder in folders for file in folder.rglob("*.yaml")):
        names += re.findall(r"_target_:\s*['\"]?([\w.]+)", file.read_text(errors="replace"))
    return [name.strip("'\"") for name in names]


def _trusted() -> list[str]:
    return [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]


def _below(target: Any, names: Sequence[str]) -> bool:
    return any(str(target) == name or str(target).startswith(f"{name}.") for name in names)
