"""What can take effect where a run goes on, and what is refused by its name."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from avs_lightning.errors import UserError
from avs_lightning.training.resuming import check_resume, longer, same_limits


@pytest.fixture
def config(tiny_run: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((tiny_run / "config.yaml").read_text())
    return content


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    node = config
    for part in path:
        node = node[part]
    node[last] = value
    return config


@pytest.mark.parametrize(
    "key, value",
    [
        ("trainer.max_epochs", 9), ("trainer.max_steps", 7), ("trainer.max_time", "00:01:00:00"), ("data.workers", 3),
        ("data.root", "elsewhere"), ("probes", ["muted"]), ("callbacks.pictures.clips", 1), ("name", "other"),
        ("logger.wandb", {"mode": "online"}),
    ],
)  # fmt: skip
def test_limits_and_what_cannot_change_a_result_may_change(config: dict[str, Any], key: str, value: Any) -> None:
    check_resume(config, changed(config, key, value), Path("run"))


@pytest.mark.parametrize(
    "key, value",
    [
        ("optimizer.lr", 1.0), ("optimizer._target_", "adamw"), ("seed", 5), ("encoder.name", "resnet18"),
        ("decoder.channels", 8), ("fusion.stages", [4]), ("data.batch_size", 4), ("trainer.devices", 2),
        ("trainer.val_check_interval", 0.5), ("trainer.precision", "bf16-mixed"), ("init.checkpoint", "a.ckpt"),
        ("callbacks.checkpoint.monitor", "val/miou_dataset"), ("paths.data_dir", "elsewhere"), ("data.limit", 3),
    ],
)  # fmt: skip
def test_what_cannot_take_effect_is_refused_by_name(config: dict[str, Any], key: str, value: Any) -> None:
    with pytest.raises(UserError) as error:
        check_resume(config, changed(config, key, value), Path("run"))
    assert f"{key}={value} (was " in str(error.value)
    assert "init.checkpoint=run/checkpoints/best.ckpt" in str(error.value)


def test_the_same_global_batch_on_more_devices_goes_on(config: dict[str, Any]) -> None:
    check_resume(config, changed(changed(config, "trainer.devices", 2), "data.batch_size", 1), Path("run"))


@pytest.mark.parametrize("limit", ["max_epochs", "max_steps"])
def test_a_schedule_over_the_whole_training_takes_no_other_limit(config: dict[str, Any], limit: str) -> None:
    config = changed(config, "schedule.name", "cosine")
    check_resume(config, config, Path("run"))
    with pytest.raises(UserError, match=rf"trainer\.{limit}=50 \(was .*schedule\.name=cosine"):
        check_resume(config, changed(config, f"trainer.{limit}", 50), Path("run"))


def test_limits_that_are_reached_are_named() -> None:
    assert longer({"max_epochs": 2, "max_steps": -1}, 2, 6) == "trainer.max_epochs=4"
    assert longer({"max_epochs": 4, "max_steps": 5}, 1, 5) == "trainer.max_steps=10"
    assert longer({"max_epochs": -1, "max_steps": None}, 1, 5) == "a longer trainer.max_time"


def test_an_end_is_the_same_where_no_limit_differs(config: dict[str, Any]) -> None:
    assert same_limits(config, changed(config, "data.workers", 3))
    assert not same_limits(config, changed(config, "trainer.max_time", "00:01:00:00"))


def test_a_run_goes_on_to_a_later_end_as_if_that_had_been_its_end(
    avs: Callable, tiny: list[str], tmp_path: Path, differences: Callable
) -> None:
    folders = {epochs: tmp_path / str(epochs) for epochs in (1, 2)}
    short = [text for text in tiny if not text.startswith("trainer.max_epochs")] + ["probes=null"]
    for epochs, folder in folders.items():
        ended = avs("train", *short, f"trainer.max_epochs={epochs}", f"paths.output_dir={folder}")
        assert ended.code == 0, ended.err
    ended = avs("train", f"resume={folders[1]}", "trainer.max_epochs=2")
    assert ended.code == 0, ended.err
    assert not differences(folders[1], folders[2])
    written = yaml.safe_load((folders[1] / "config.yaml").read_text())
    assert written["trainer"]["max_epochs"] == 2


@pytest.mark.parametrize("given", ["optimizer.lr=0.5", "encoder=resnet18", "+trainer.val_check_interval=0.5"])
def test_a_run_is_refused_before_anything_is_written(avs: Callable, tiny_run: Path, given: str) -> None:
    files = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")}
    ended = avs("train", f"resume={tiny_run}", "trainer.max_epochs=3", given)
    assert ended.code == 1
    assert given.lstrip("+") in ended.err
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")} == files
