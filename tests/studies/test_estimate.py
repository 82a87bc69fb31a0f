"""What a study will take: counts of steps and clips, and steps that are measured here and now."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import initialize_config_module
from rich.console import Console

from avs_lightning.cli import sweep
from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.studies import estimate as estimates
from avs_lightning.studies.cells import Cell
from avs_lightning.studies.composing import Request, compose_cells
from avs_lightning.studies.estimate import (
    Speed,
    cell_seconds,
    clip_counts,
    estimate,
    measure,
    time_left,
    training_steps,
)

PRETRAINED = ["encoder.weights=imagenet", "audio_encoder=vggish", "audio_encoder.weights=vggish"]


@pytest.fixture(scope="module")
def tiny_cell(tiny_ms3: Path, tmp_path_factory: pytest.TempPathFactory) -> Cell:
    """Five training, three val and three test clips, two a batch; its networks' weights would be downloaded."""
    overrides = [
        "data=ms3", f"data.root={tiny_ms3}", "data.image_size=32", "data.batch_size=2", "data.eval_batch_size=2",
        "encoder=test_resnet", "decoder.channels=8", "logger=csv", "trainer.max_epochs=2", "probes=[muted,noise]",
        "trainer.accelerator=cpu", f"paths.runs_dir={tmp_path_factory.mktemp('runs')}", *PRETRAINED,
    ]  # fmt: skip
    set_up_hydra(overrides)
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        requests = [Request("tiny", {}, overrides)]
        return compose_cells(requests, lambda given: sweep.compose("train", given), "study")[0]


@pytest.fixture
def cell(tiny_cell: Cell) -> Callable[..., Cell]:
    """`cell(trainer={}, data={}, ...)`: the tiny one with other settings."""

    def make(**changes: Any) -> Cell:
        config = dict(tiny_cell.config)
        for key, value in changes.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) else value
        return replace(tiny_cell, config=config)

    return make


@pytest.mark.parametrize(
    "trainer, steps",
    [
        ({}, 6),
        ({"devices": 2}, 4),
        ({"devices": 2, "num_nodes": 2}, 2),
        ({"max_steps": 5}, 5),
        ({"max_steps": 50}, 6),
        ({"max_epochs": None, "max_steps": 50}, 50),
        ({"max_epochs": -1, "max_steps": 50}, 50),
        ({"max_epochs": -1}, 0),
        ({"limit_train_batches": 2}, 4),
        ({"limit_train_batches": 0.5}, 2),
        ({"limit_train_batches": 1.0}, 6),
    ],
)
def test_training_steps(cell: Callable[..., Cell], trainer: dict[str, Any], steps: int) -> None:
    assert training_steps(cell(trainer=trainer)) == steps


def test_clips_are_counted_as_they_lie_or_as_they_will_be_drawn(cell: Callable[..., Cell]) -> None:
    assert clip_counts(cell()) == {"train": 5, "val": 3, "test": 3}
    assert clip_counts(cell(data={"limit": 2})) == {"train": 2, "val": 2, "test": 2}
    drawn = {"root": "nowhere", "synthetic": {"clips": {"train": 7, "test": 1}}}
    assert clip_counts(cell(data=drawn)) == {"train": 7, "val": 0, "test": 1}


@pytest.mark.parametrize(
    "changes, seconds",
    [
        ({}, 6 * 10 + 2 * 3 + 3 * 3),  # steps, two validations, a test with three sounds
        ({"probes": None}, 6 * 10 + 2 * 3 + 3),
        ({"test": False}, 6 * 10 + 2 * 3),
        ({"trainer": {"check_val_every_n_epoch": 2}}, 6 * 10 + 3 + 3 * 3),
        ({"trainer": {"limit_val_batches": 1, "limit_test_batches": 1}}, 6 * 10 + 2 * 2 + 3 * 2),
        ({"trainer": {"devices": 3}}, 2 * 10 + (2 * 3 + 3 * 3) / 3),
        ({"trainer": {"limit_train_batches": 0}}, 3 * 3),
    ],
)
def test_a_cells_seconds(cell: Callable[..., Cell], changes: dict[str, Any], seconds: float) -> None:
    assert cell_seconds(cell(**changes), Speed(step=10, eval_clip=1)) == pytest.approx(seconds)


def test_what_was_cut_off_needs_the_rest(cell: Callable[..., Cell], tmp_path: Path) -> None:
    begun = replace(cell(), folder=tmp_path)
    assert time_left(begun, 80) == 80
    (tmp_path / "progress.json").write_text('{"fraction": 0.75}')
    assert time_left(begun, 80) == 20


def test_steps_are_measured_with_the_threads_of_a_cell_and_without_downloads(
    cell: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    threads: list[int] = []
    build = estimates.build_method

    def seen(*args: Any, **options: Any) -> Any:
        threads.append(torch.get_num_threads())
        return build(*args, **options)

    monkeypatch.setattr(estimates, "build_method", seen)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        speed = measure(cell().config, slots=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads == [1]
    assert 0 < speed.eval_clip < speed.step


def test_each_network_is_measured_once_for_the_cells_that_are_left(
    cell: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: list[int] = []

    def speed(config: Any, slots: int) -> Speed:
        measured.append(len(config["method"]["network"]["stages"]))
        return Speed(step=10, eval_clip=1)

    monkeypatch.setattr(estimates, "measure", speed)
    cells = []
    for number, stages in enumerate(([4], [1, 2, 3, 4], [])):
        method = cell().config["method"]
        changed = cell(method={"network": {**method["network"], "stages": stages}})
        cells.append(replace(changed, signature=str(number), folder=tmp_path / str(number)))
    cells[2].folder.mkdir()
    scores = {sound: {} for sound in ("true", "muted", "noise")}
    (cells[2].folder / "metrics.json").write_text(json.dumps({"scores": scores}))
    console = Console(width=150)
    with console.capture() as capture:
        console.print(estimate(cells, 1))
        console.print(estimate(cells[2:], 4))
    assert measured == [4]
    one, other = capture.get().split("Estimate of time")[1:]
    assert "test_resnet reference 32² 2 clips a batch" in one
    assert "2 │" in one
    assert "75 s" in one
    assert "150 s" in one or "2 min" in one
    assert "0 s" in other
    assert {path.name for path in tmp_path.iterdir()} == {"2"}
