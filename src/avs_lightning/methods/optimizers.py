"""Optimisers and learning-rate schedules by name."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn import Parameter

from avs_lightning.errors import UserError, near_matches

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


def build_optimizer(
    parameters: Iterable[Parameter], options: Mapping[str, Any], total_steps: Callable[[], int]
) -> dict[str, Any]:
    """Build what `LightningModule.configure_optimizers` returns.

    Args:
        parameters: what is trained.
        options: `name` (adam, adamw), `lr`, `weight_decay`, `scheduler` (constant, linear, cosine; constant is the
            published recipe) and `warmup_steps`, over which the rate rises linearly from zero.
        total_steps: the number of optimiser steps of the whole run; asked only by schedules that need it.

    Raises:
        UserError: an unknown optimiser or schedule.
    """
    name, schedule = _known(options["name"], OPTIMIZERS, "method.optimizer.name"), options.get("scheduler", "constant")
    shape = SCHEDULES[_known(schedule, SCHEDULES, "method.optimizer.scheduler")]
    optimizer = OPTIMIZERS[name](parameters, lr=options["lr"], weight_decay=options.get("weight_decay", 0.0))  # type: ignore[call-arg]
    warmup = int(options.get("warmup_steps", 0))
    if schedule == "constant" and warmup == 0:
        return {"optimizer": optimizer}
    total = total_steps() if schedule != "constant" else 0

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return shape(min(1.0, (step - warmup) / max(1, total - warmup)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _known(name: str, allowed: Mapping[str, object], key: str) -> str:
    if name not in allowed:
        raise UserError(f"{key}={name} is unknown; it is one of {', '.join(allowed)}{near_matches(name, allowed)}")
    return name
