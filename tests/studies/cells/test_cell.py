"""A cell is known by what can change its result, and by nothing else."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_module

from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.cli.sweep import compose
from avs_lightning.studies.cells.cell import Cell, build_cell, sign
from avs_lightning.studies.cells.composing import compose_cells
from avs_lightning.studies.spec.cell_spec import CellSpec

# Written down once more, so that a setting that leaves the signature by mistake is seen.
CANNOT_CHANGE_A_RESULT = {
    "name", "label", "study", "dry_run", "resume", "test", "probes", "probe_sounds",
    "paths.data_dir", "paths.runs_dir", "paths.output_dir",
    "launcher.name", "launcher.other_code",
    "logger.wandb.project", "logger.wandb.entity", "logger.wandb.group", "logger.wandb.name", "logger.wandb.job_type",
    "logger.wandb.tags", "logger.wandb.notes", "logger.wandb.dir", "logger.wandb.mode", "logger.wandb.log_model",
    "callbacks.pictures.clips", "callbacks.pictures.every_n_epochs", "callbacks.clips.count",
    "callbacks.learning_rate.logging_interval",
    *(f"callbacks.{name}._target_" for name in ("progress_bar", "pictures", "clips", "gradient_norm", "learning_rate",
                                                "history")),
    "data.root", "data.workers", "data.eval_batch_size",
    "trainer.accelerator", "trainer.strategy", "trainer.enable_progress_bar", "trainer.log_every_n_steps",
}  # fmt: skip


@pytest.fixture(scope="module")
def configs() -> dict[str, dict[str, Any]]:
    """The resolved configurations of MS3 and of drawn clips."""
    wanted = {"real": ["data=ms3"], "synthetic": ["data=synthetic_ms3"]}
    set_up_hydra([])
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        specs = [CellSpec(name, {}, overrides) for name, overrides in wanted.items()]
        cells = compose_cells(specs, lambda given: compose("train", given))
    return {cell.name: dict(cell.config) for cell in cells}


@pytest.fixture
def config(configs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return copy.deepcopy(configs["real"])


def leaves(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def changed(config: dict[str, Any], key: str, value: Any = ...) -> dict[str, Any]:
    """Return the configuration with another value of one setting."""
    result = copy.deepcopy(config)
    node = result
    *path, last = key.split(".")
    for part in path:
        node = node[part]
    old = node.get(last)
    if value is ...:
        value = not old if isinstance(old, bool) else old + 1 if isinstance(old, (int, float)) else f"{old}x"
    node[last] = value
    return result


def built(config: dict[str, Any], runs: Path, parent: Cell | None = None, name: str = "cell") -> Cell:
    return build_cell(changed(config, "paths.runs_dir", str(runs)), name, {"axis": "value"}, parent)


@pytest.mark.parametrize("data", ["real", "synthetic"])
def test_every_setting_counts_that_can_change_a_result(configs: dict[str, dict[str, Any]], data: str) -> None:
    config = configs[data]
    before, keys = sign(config), list(leaves(config))
    assert len(keys) > 80
    same = {key for key in keys if key not in GLOBAL_BATCH and sign(changed(config, key)) == before}
    assert same == CANNOT_CHANGE_A_RESULT & set(keys)
    assert set(keys) >= CANNOT_CHANGE_A_RESULT


GLOBAL_BATCH = ("data.batch_size", "trainer.devices", "trainer.num_nodes")


def test_batch_size_devices_and_nodes_count_as_their_product(config: dict[str, Any]) -> None:
    def of(batch: int, devices: Any, nodes: int) -> str:
        given = config
        for key, value in zip(GLOBAL_BATCH, (batch, devices, nodes)):
            given = changed(given, key, value)
        return sign(given)

    assert of(8, 1, 1) == of(4, 2, 1) == of(4, 1, 2) == of(2, [0, 1], 2) == of(4, "0,1", 1) == of(4, "2", 1)
    assert len({of(8, 1, 1), of(4, 1, 1), of(4, 4, 1), of(4, 1, 3)}) == 4


@pytest.mark.parametrize("key", ["new", "data.new", "trainer.new", "method.loss.new", "callbacks.new"])
def test_a_new_setting_counts(config: dict[str, Any], key: str) -> None:
    assert sign(changed(config, key, 1)) != sign(config)


def test_the_order_of_settings_does_not_count(config: dict[str, Any]) -> None:
    def turned(node: Any) -> Any:
        return {key: turned(node[key]) for key in reversed(node)} if isinstance(node, dict) else node

    assert list(turned(config)) != list(config)
    assert sign(turned(config)) == sign(config)


def test_the_parents_signature_counts_and_its_folder_does_not(config: dict[str, Any], tmp_path: Path) -> None:
    def child(seed: int, store: str) -> Cell:
        parent = built(changed(config, "seed", seed), tmp_path / store, name="parent")
        return built(config, tmp_path / "own", parent)

    assert child(1, "a").signature == child(1, "b").signature
    assert child(1, "a").signature not in (child(2, "a").signature, sign(config))
    one = child(1, "a")
    assert one.parent
    assert one.config["init"]["checkpoint"] == str(one.parent.folder / "checkpoints" / "best.ckpt")


@pytest.mark.parametrize("keys", [["init.checkpoint"], ["encoder.weights"], ["audio_encoder.weights"]])
def test_a_file_counts_by_what_it_holds(config: dict[str, Any], tmp_path: Path, keys: list[str]) -> None:
    def starting_at(name: str, held: str) -> str:
        file = tmp_path / name
        file.write_text(held)
        os.utime(file, ns=(len(held), hash(held) % 10**15))  # written at another time
        given = config
        for key in keys:
            given = changed(given, key, str(file))
        return sign(given)

    assert starting_at("a", "weights") == starting_at("b", "weights")
    assert len({starting_at("a", "weights"), starting_at("a", "others"), sign(config)}) == 3


def test_an_evaluation_is_known_by_its_checkpoint(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_text("a")
    (tmp_path / "b.ckpt").write_text("b")
    one, other = ({"checkpoint": str(tmp_path / name), "trainer": {}, "seed": 1} for name in ("a.ckpt", "b.ckpt"))
    assert len({sign(one, command="eval"), sign(other, command="eval")}) == 2


def test_a_folder_is_named_after_name_and_signature(config: dict[str, Any], tmp_path: Path) -> None:
    cell = built(changed(config, "name", "a/b: c"), tmp_path)
    assert cell.folder == tmp_path / "cells" / f"a_b_c-{cell.signature}"
    assert cell.config["paths"]["output_dir"] == str(cell.folder)
    assert config["paths"]["output_dir"] != str(cell.folder)  # the caller's own is left alone
    assert hash(cell) == hash(built(changed(config, "name", "a/b: c"), tmp_path))


def test_what_another_name_has_trained_is_taken(config: dict[str, Any], tmp_path: Path) -> None:
    first = built(config, tmp_path)
    first.folder.mkdir(parents=True)
    assert built(changed(config, "name", "other"), tmp_path).folder == first.folder
