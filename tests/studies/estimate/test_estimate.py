"""What a study will take: counts of steps and clips, what these cost, and what runs at a time."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import initialize_config_module
from rich.console import Console

from avs_lightning.cli import sweep
from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.machine import available_cores
from avs_lightning.methods.avs import VGGish
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.composing import compose_cells
from avs_lightning.studies.estimate import estimate as estimates
from avs_lightning.studies.estimate.estimate import estimate, makespan, time_left, undrawn
from avs_lightning.studies.estimate.pace import Pace, ended_paces, gpu_names, measured_pace, network_of
from avs_lightning.studies.estimate.step_times import overlapped, quickest
from avs_lightning.studies.estimate.trial import Trial, run_trial, trial_config
from avs_lightning.studies.estimate.workload import Workload, split_sizes, training_steps
from avs_lightning.studies.spec.cell_spec import CellSpec

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
        return compose_cells([CellSpec("tiny", {}, overrides)], lambda given: sweep.compose("train", given))[0]


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
    assert split_sizes(cell()) == {"train": 5, "val": 3, "test": 3}
    assert split_sizes(cell(data={"limit": 2})) == {"train": 2, "val": 2, "test": 2}
    drawn = {"_target_": "avs_lightning.data.MS3DataModule", "synthetic": {"clips": {"train": 7, "test": 1}}}
    assert split_sizes(cell(data=drawn)) == {"train": 7, "val": 0, "test": 1}


PACE = Pace(start=100, step=10, epoch=7, val_clip=2, picture=5, test=20, test_clip=1, size=1e6)


@pytest.mark.parametrize(
    "changes, parts",
    [
        ({}, (100, 6 * 10 + 2 * 7, 2 * 3 * 2, 20 + 3 * 3)),  # five clips make three steps; a test with three sounds
        ({"probes": None}, (100, 74, 12, 20 + 3)),
        ({"test": False}, (100, 74, 12, 0)),
        ({"trainer": {"check_val_every_n_epoch": 2}}, (100, 74, 6, 29)),
        ({"trainer": {"limit_val_batches": 1, "limit_test_batches": 1}}, (100, 74, 8, 20 + 3 * 2)),
        ({"trainer": {"devices": 3}}, (100, 2 * 10 + 2 * 7, 4, 20 + 3)),
        ({"trainer": {"limit_train_batches": 0}}, (100, 0, 0, 29)),
        ({"callbacks": {"pictures": {"clips": 4, "every_n_epochs": 1}}}, (100, 74, 12 + 2 * 4 * 5, 29)),
        ({"callbacks": {"pictures": {"clips": 4, "every_n_epochs": 2}}}, (100, 74, 12 + 4 * 5, 29)),
        ({"probes": "all", "probe_sounds": "no folder is looked at"}, (100, 74, 12, 20 + 6 * 3)),
    ],
)
def test_the_parts_of_a_cell(cell: Callable[..., Cell], changes: dict[str, Any], parts: tuple[float, ...]) -> None:
    assert tuple(PACE.parts(Workload.of(cell(**changes))).values()) == parts


@pytest.mark.parametrize(
    "compute, read, workers, cores, threads, seconds",
    [
        (2, 1, 0, 8, 8, 3),  # nobody reads meanwhile
        (2, 1, 2, 2, 1, 2),  # on the other core
        (2, 1, 1, 1, 1, 3),  # several cells at a time: one core for both
        (2, 1, 4, 2, 2, 2.5),
        (2, 6, 2, 4, 1, 3),  # the workers do not keep up
        (2, 6, 4, 4, 0, 2),  # a GPU computes
    ],
)
def test_reading_shares_the_cores_with_the_step(
    compute: float, read: float, workers: int, cores: int, threads: int, seconds: float
) -> None:
    assert overlapped(compute, read, workers, cores, threads) == seconds


def test_wall_time_is_not_believed_on_a_busy_machine() -> None:
    def wait_for_others() -> None:
        time.sleep(0.05)

    assert quickest(wait_for_others, 1, cuda=False, busy=False) >= 0.05
    assert quickest(wait_for_others, 1, cuda=False, busy=True) < 0.05


def test_children_wait_for_their_parents_and_slots_are_shared(cell: Callable[..., Cell]) -> None:
    parent, *others = (replace(cell(), signature=name) for name in "pab")
    child = replace(cell(), signature="c", parent=parent)
    seconds = {"p": 10.0, "a": 4.0, "b": 4.0, "c": 5.0}
    assert makespan([parent, *others, child], seconds, 1) == 23
    assert makespan([parent, *others, child], seconds, 2) == 15  # a and b beside the parent, then the child
    assert makespan([], {}, 2) == 0


def test_what_was_cut_off_needs_the_rest(cell: Callable[..., Cell], tmp_path: Path) -> None:
    begun = replace(cell(), folder=tmp_path)
    assert time_left(begun, 80) == 80
    (tmp_path / "progress.json").write_text('{"fraction": 0.75}')
    assert time_left(begun, 80) == 20


def test_cells_that_ended_on_such_a_machine_tell_the_pace(cell: Callable[..., Cell], tmp_path: Path) -> None:
    seconds = {"start_seconds": 9, "test_seconds": 30}
    ours, foreign = cell().config["method"], {"_target_": "foreign_code.Method"}
    for name, train, cores, method in (
        ("a", 60, available_cores(), ours),
        ("b", 120, available_cores(), ours),
        ("of another machine", 9e9, 999, ours),
        ("of a method that is gone", 9e9, available_cores(), {"_target_": "avs_lightning.methods.Gone"}),
        ("of code that is not trusted", 9e9, available_cores(), foreign),
    ):
        folder = tmp_path / name
        folder.mkdir()
        metrics = {"steps": 6, "scores": {sound: {} for sound in ("true", "muted", "noise")}}
        metrics |= {"cost": {**seconds, "train_seconds": train}}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "environment.json").write_text(json.dumps({"cores": cores, "gpus": gpu_names()}))
        (folder / "config.yaml").write_text(yaml.safe_dump(dict(cell(method=method).config)))
        (folder / "clips.csv").write_text("id\na\nb\nc\nd\ne\n")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "metrics.json").write_text("{")
    network = network_of(cell().config)
    ((found, (pace, count)),) = ended_paces(tmp_path, {network}).items()
    assert (found, count) == (network, 2)
    assert (pace.start, pace.step, pace.test_clip) == (9, 15, 2)
    assert sum(pace.parts(Workload.of(cell())).values()) == 9 + 6 * 15 + 3 * 3 * 2
    assert pace.size > 0
    assert ended_paces(tmp_path, {("another",)}) == {}


def test_a_trial_takes_nothing_of_the_study_but_its_settings(cell: Callable[..., Cell], tmp_path: Path) -> None:
    drawn = {"root": "far", "synthetic": {"clips": {"train": 900}, "seed": 7}}
    given = cell(data=drawn, trainer={"devices": 4, "num_nodes": 2}, init={"checkpoint": "parent.ckpt"})
    config = trial_config(given.config, tmp_path)
    assert config["data"]["root"] == str(tmp_path / "data")
    assert config["data"]["synthetic"]["seed"] == 7
    assert (config["trainer"]["devices"], config["trainer"]["num_nodes"]) == (1, 1)
    assert config["init"]["checkpoint"] is None
    assert config["encoder"]["weights"] == config["audio_encoder"]["weights"] == "none"
    assert config["probes"] == given.config["probes"]
    assert given.config["data"]["root"] == "far"  # the study's own stays as it is


def test_synthetic_clips_are_drawn_once_for_all_cells(cell: Callable[..., Cell], tmp_path: Path) -> None:
    there = cell()
    drawn = {"_target_": "avs_lightning.data.MS3DataModule", "root": str(tmp_path), "synthetic": {"clips": {}}}
    cells = [there, cell(data=drawn), cell(data=drawn | {"batch_size": 1}), cell(data=drawn | {"root": "elsewhere"})]
    assert len(undrawn(cells)) == 2


def test_a_pace_is_measured_by_the_real_command_without_downloads(
    cell: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    trial = run_trial(cell(), tmp_path)
    assert trial.failure == ""
    assert trial.drawing is None
    assert 0 < trial.training + trial.testing < trial.whole
    assert {"config.yaml", "metrics.json", "clips", "pictures"} <= set(trial.files)
    pace = measured_pace(cell(), slots=1, trial=trial, slowdown=1.0)
    assert all(part > 0 for part in (pace.start, pace.step, pace.val_clip, pace.test_clip))
    checkpoints = sum(path.stat().st_size for path in (tmp_path / "run" / "checkpoints").iterdir())
    vggish = sum(value.nbytes for value in VGGish().state_dict().values())  # a trial has no published weights to name
    assert pace.size + 2 * vggish == pytest.approx(checkpoints, rel=0.1)


def test_a_trial_that_fails_says_why(cell: Callable[..., Cell], tmp_path: Path) -> None:
    trial = run_trial(cell(optimizer={"_target_": "torch.optim.Such"}), tmp_path)
    assert "torch.optim.Such" in trial.failure


def test_each_network_is_measured_once_for_the_cells_that_are_left(
    cell: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: list[int] = []

    def pace(member: Cell, *_: Any) -> Pace:
        measured.append(len(member.config["fusion"]["stages"]))
        return PACE

    tried = Trial(None, None, 0, 0, 0, 0, {}, failure="no such thing")  # type: ignore[arg-type]
    monkeypatch.setattr(estimates, "measured_pace", pace)
    monkeypatch.setattr(estimates, "run_trial", lambda *_: tried)
    cells = []
    for number, stages in enumerate(([4], [1, 2, 3, 4], [])):
        changed = cell(fusion={"stages": stages})
        cells.append(replace(changed, signature=str(number), folder=tmp_path / str(number)))
    cells[2].folder.mkdir()
    scores = {sound: {} for sound in ("true", "muted", "noise")}
    (cells[2].folder / "metrics.json").write_text(json.dumps({"scores": scores}))
    one, other = estimate(cells, 2), estimate(cells[2:], 4)
    assert measured == [4]
    assert one.seconds == 100 + 74 + 12 + 29  # two at a time
    assert one.bytes == 2e6
    assert (other.cells, other.seconds, other.bytes) == ([], 0, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"2"}
    text = shown(one)
    for words in ("test_resnet reference vggish 32²", "4 min", "2 cells at a time", "2.0 MB", "free", "no such thing"):
        assert words in text
    assert "too small" not in text
    assert "too small" in shown(replace(one, free=10))


def shown(made: Any) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(made)
    return " ".join(capture.get().split())
