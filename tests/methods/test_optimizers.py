"""Optimisers and schedules by name."""

import math
from typing import Any

import pytest
import torch

from avs_lightning.errors import UserError
from avs_lightning.methods.optimizers import build_optimizer


def build(total: int = 10, **options: Any) -> dict[str, Any]:
    parameter = torch.nn.Parameter(torch.zeros(1))
    return build_optimizer([parameter], {"name": "adam", "lr": 2.0, **options}, lambda: total)


def rates(built: dict[str, Any], steps: int) -> list[float]:
    values = []
    for _ in range(steps):
        values.append(built["optimizer"].param_groups[0]["lr"])
        built["optimizer"].step()
        built["lr_scheduler"]["scheduler"].step()
    return values


def test_the_published_recipe_is_plain_adam() -> None:
    built = build()
    assert type(built["optimizer"]) is torch.optim.Adam
    assert built["optimizer"].defaults["weight_decay"] == 0
    assert "lr_scheduler" not in built


def test_adamw_decays() -> None:
    optimizer = build(name="adamw", weight_decay=0.05)["optimizer"]
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["weight_decay"] == 0.05


def test_a_constant_rate_is_not_asked_for_the_number_of_steps() -> None:
    def unknown() -> int:
        raise AssertionError

    parameter = torch.nn.Parameter(torch.zeros(1))
    options = {"name": "adam", "lr": 2.0, "warmup_steps": 3}
    built = build_optimizer([parameter], options, unknown)
    assert rates(built, 5) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])


@pytest.mark.parametrize(
    "scheduler, shape",
    [("linear", lambda progress: 1 - progress), ("cosine", lambda progress: (1 + math.cos(math.pi * progress)) / 2)],
)
def test_warm_up_then_down_to_zero_at_the_last_step(scheduler: str, shape: Any) -> None:
    built = build(total=10, scheduler=scheduler, warmup_steps=2)
    expected = [2 / 3, 4 / 3, *(2 * shape(step / 8) for step in range(8)), 0.0, 0.0]
    assert rates(built, 12) == pytest.approx(expected)
    assert built["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"name": "adan"}, r"method.optimizer.name=adan is unknown; it is one of adam, adamw.*did you mean adam"),
        ({"scheduler": "cosin"}, r"method.optimizer.scheduler=cosin is unknown; .*constant, linear, cosine.*cosine\?"),
    ],
)
def test_unknown_names(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(**options)
