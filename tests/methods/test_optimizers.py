"""Optimisers and schedules by name."""

import math
from typing import Any

import pytest
import timm.optim
import torch

from avs_lightning.errors import UserError
from avs_lightning.methods.optimizers import ADAM, build_optimizer


def build(total: int = 10, schedule: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    parameter = torch.nn.Parameter(torch.zeros(1))
    return build_optimizer([parameter], {**ADAM, "lr": 2.0, **options}, schedule or {}, lambda: total)


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
    optimizer = build(_target_="torch.optim.AdamW", weight_decay=0.05, betas=[0.8, 0.9])["optimizer"]
    assert type(optimizer) is torch.optim.AdamW
    assert (optimizer.defaults["weight_decay"], optimizer.defaults["betas"]) == (0.05, (0.8, 0.9))


def test_optimisers_of_timm() -> None:
    assert type(build(_target_="timm.optim.Lion")["optimizer"]) is timm.optim.Lion


def test_a_constant_rate_is_not_asked_for_the_number_of_steps() -> None:
    def unknown() -> int:
        raise AssertionError

    parameter = torch.nn.Parameter(torch.zeros(1))
    built = build_optimizer([parameter], {**ADAM, "lr": 2.0}, {"warmup_steps": 3}, unknown)
    assert rates(built, 5) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])


@pytest.mark.parametrize(
    "name, shape",
    [("linear", lambda progress: 1 - progress), ("cosine", lambda progress: (1 + math.cos(math.pi * progress)) / 2)],
)
def test_warm_up_then_down_to_zero_at_the_last_step(name: str, shape: Any) -> None:
    built = build(total=10, schedule={"name": name, "warmup_steps": 2})
    expected = [2 / 3, 4 / 3, *(2 * shape(step / 8) for step in range(8)), 0.0, 0.0]
    assert rates(built, 12) == pytest.approx(expected)
    assert built["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"_target_": "torch.optim.Adan"}, r"optimizer\._target_=torch\.optim\.Adan"),
        ({"_target_": "torch.nn.Linear"}, r"optimizer\._target_=torch\.nn\.Linear is no Optimizer"),
        ({"beta": 0.9}, r"Adam cannot be built from .*optimizer\.beta=0\.9"),
        ({"lr": -1.0}, r"Adam cannot be built from optimizer\.lr=-1"),
        ({"schedule": {"name": "cosin"}}, r"schedule.name=cosin is unknown.*did you mean cosine.*constant, linear"),
    ],
)
def test_what_cannot_be_built_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(**options)
