"""Optimisers by their class, and schedules of the learning rate by name."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn import Parameter

from avs_lightning.errors import choose
from avs_lightning.targets import build

ADAM = {"_target_": "torch.optim.Adam", "lr": 1e-4}
"""As published."""
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


def build_optimizer(
    parameters: Iterable[Parameter],
    optimizer: Mapping[str, Any],
    schedule: Mapping[str, Any],
    total_steps: Callable[[], int],
) -> dict[str, Any]:
    """Build what `LightningModule.configure_optimizers` returns.

    Args:
        parameters: what is trained.
        optimizer: `_target_`, a class of torch.optim, timm.optim or any other, and its arguments.
        schedule: `name` (constant, linear, cosine; constant is the published recipe) and `warmup_steps`, over which the
            rate rises linearly from zero.
        total_steps: the number of optimiser steps of the whole run; asked only by schedules that need it.

    Raises:
        UserError: an unknown schedule, or an optimiser that does not exist or refuses its arguments.
    """
    name, warmup = schedule.get("name", "constant"), int(schedule.get("warmup_steps", 0))
    choose(name, SCHEDULES, "schedule.name")
    built = build(optimizer, "optimizer", torch.optim.Optimizer, parameters)
    if name == "constant" and warmup == 0:
        return {"optimizer": built}
    total = total_steps() if name != "constant" else 0

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return SCHEDULES[name](min(1.0, (step - warmup) / max(1, total - warmup)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(built, factor)
    return {"optimizer": built, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
