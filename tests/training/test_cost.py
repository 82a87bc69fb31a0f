"""What a training costs, as it is logged and kept."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from avs_lightning.training import cost
from avs_lightning.training.cost import TrainingCost, peak_memory_mib


class Clock:
    """A time that goes on when it is told to."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 10


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cost, "time", clock)
    return clock


def method() -> Any:
    module: Any = nn.Linear(3, 2)
    module.bias.requires_grad = False
    module.device = torch.device("cpu")
    module.logged = []
    module.log_dict = lambda values, **_: module.logged.append(values)
    return module


def trainer(processes: int = 1) -> Any:
    strategy = SimpleNamespace(root_device=torch.device("cpu"), reduce=lambda value, reduce_op: 2 * value)
    return SimpleNamespace(world_size=processes, strategy=strategy)


def train(measure: TrainingCost, clock: Clock, epochs: int, module: Any, processes: int = 2) -> None:
    """Epochs of three steps of four clips: 10 s the first two of a session, 1 s the others; 57 s of validation."""
    run, steps = trainer(processes), 0
    measure.setup(run, module, "fit")
    for _ in range(epochs):
        measure.on_train_epoch_start(run, module)
        for batch in range(3):
            clock.now += 1.0 if steps >= 2 else 10.0
            steps += 1
            measure.on_train_batch_end(run, module, None, [0] * 4, batch)
            if batch == 1:
                clock.now += 7.0
                measure.on_validation_end(run, module)
        clock.now += 50.0
        measure.on_validation_end(run, module)
        measure.on_train_epoch_end(run, module)


def test_clips_a_second_without_the_first_steps_and_validation(clock: Clock) -> None:
    measure, module = TrainingCost(), method()
    train(measure, clock, 2, module)
    measure.on_fit_end(trainer(), module)
    clock.now += 1000.0  # the test
    summary = measure.summary(module)
    assert summary["clips_per_second"] == 8.0
    assert summary["train_seconds"] == 21 + 3 + 2 * 57
    assert (summary["parameters"], summary["trained_parameters"], summary["device"]) == (8, 6, "cpu")
    assert [values["cost/clips_per_second"] for values in module.logged] == [8.0, 8.0]
    assert summary["peak_memory_mib"] == pytest.approx(2 * peak_memory_mib(torch.device("cpu")), rel=0.1)
    assert 50 < peak_memory_mib(torch.device("cpu")) < 100_000


def test_a_resumed_run_adds_up(clock: Clock) -> None:
    first, second, module = TrainingCost(), TrainingCost(), method()
    train(first, clock, 1, module)
    kept = json.loads(json.dumps(first.state_dict()))  # plain values alone: checkpoints load with weights-only safety
    clock.now += 500.0  # lost with a kill
    second.setup(trainer(), module, "fit")
    second.load_state_dict(kept)
    train(second, clock, 2, module)
    second.on_fit_end(trainer(), module)
    assert second.summary(module)["train_seconds"] == 21 + 57 + 24 + 2 * 57
    assert second.summary(module)["clips_per_second"] == 8.0


def test_a_training_of_two_steps_has_nothing_else_to_count(clock: Clock) -> None:
    measure, module, run = TrainingCost(), method(), trainer()
    assert measure.summary(module)["clips_per_second"] is None
    measure.setup(run, module, "fit")
    measure.on_train_epoch_start(run, module)
    clock.now += 2.0
    measure.on_train_batch_end(run, module, None, [0] * 4, 0)
    measure.on_train_epoch_end(run, module)
    assert measure.summary(module)["clips_per_second"] == 2.0
    assert module.logged[0]["cost/clips_per_second"] == 2.0


def test_a_run_logs_and_keeps_its_cost(tiny_run: Path) -> None:
    result = json.loads((tiny_run / "metrics.json").read_text())
    rows = pd.read_csv(tiny_run / "metrics.csv").dropna(subset="cost/clips_per_second")
    assert rows["epoch"].tolist() == [1, 2]
    assert (rows["cost/clips_per_second"] > 0).all()
    assert result["cost"]["peak_memory_mib"] == pytest.approx(rows["cost/peak_memory_mib"].max(), abs=0.1)
    assert result["cost"]["device"] == "cpu"
    assert result["cost"]["train_seconds"] > 0
    assert 0 < result["cost"]["trained_parameters"] < result["cost"]["parameters"]


def test_testing_again_costs_no_training(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert avs("train", *tiny, "trainer.max_epochs=1", "probes=none", f"paths.output_dir={folder}").code == 0
    first = json.loads((folder / "metrics.json").read_text())
    ended = avs("train", f"resume={folder}", "probes=[muted,noise]")
    assert ended.code == 0, ended.err
    again = json.loads((folder / "metrics.json").read_text())
    assert list(again["scores"]) == ["true", "muted", "noise"]
    assert again["scores"]["true"] == first["scores"]["true"]
    assert again["steps"] == first["steps"]
    same = ("parameters", "clips_per_second", "peak_memory_mib", "device")
    assert {name: again["cost"][name] for name in same} == {name: first["cost"][name] for name in same}
    assert again["best"] == first["best"]
