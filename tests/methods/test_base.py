"""What methods share, without a run."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.networks import tiny_avs


def first_draw(monkeypatch: pytest.MonkeyPatch, seed: int, epoch: int, rank: int) -> float:
    method: Any = tiny_avs()
    monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))  # as seed_everything leaves it
    method._trainer = SimpleNamespace(current_epoch=epoch, global_rank=rank)
    torch.rand(7)  # what an uninterrupted run has drawn before, and a resumed one has not
    method.on_train_epoch_start()
    return torch.rand(1).item()


def test_the_randomness_of_an_epoch_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(seed, epoch, rank) for seed in (1, 2) for epoch in (0, 1) for rank in (0, 1)]
    draws = [first_draw(monkeypatch, *place) for place in places]
    assert draws == [first_draw(monkeypatch, *place) for place in places]
    assert len(set(draws)) == len(places)


def test_test_sets_are_named_in_order() -> None:
    method = tiny_avs()
    assert list(method.test_scores) == ["test"]
    method.set_test_sets(["val", "val_muted"])
    assert list(method.test_scores) == ["val", "val_muted"]
    assert not [name for name in method.state_dict() if "scores" in name]  # checkpoints do not depend on them
