"""Every leaf of every composed configuration against wrong values of every sort, without building anything."""

import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from hydra import initialize_config_module
from omegaconf import DictConfig, OmegaConf

from avs_lightning.cli.groups import CONFIG_MODULE, groups_of
from avs_lightning.cli.hydra_app import set_up_hydra
from avs_lightning.cli.settings import OWN_TRAINER, SETTINGS
from avs_lightning.cli.sweep import compose
from avs_lightning.cli.values import check_values, leaves, value_of
from avs_lightning.errors import UserError

WRONG: list[Any] = [
    None, True, "", " ", "foo", "ünïcödé 音", "a[b]/c[red]", "a{b}", "x" * 10_000, "../..", "\0", 0, -1, -(2**40),
    2**63, 10**400, 0.5, -0.5, 1e308, float("nan"), float("inf"), -float("inf"), [], [None], ["foo", -1], {}, {"a": 1},
    {"a": {"b": None}},
]  # fmt: skip

OF_CLASSES = r"optimizer\.momentum|callbacks\.early_stopping\..*|logger\.tensorboard\..*|callbacks\.\w+\._target_"
"""Classes that a part is built from, and arguments of those of other libraries, which check them: see when building."""


@pytest.fixture(scope="module")
def hydra() -> Iterator[None]:
    set_up_hydra([])
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        yield


@pytest.fixture(scope="module")
def configurations(hydra: None) -> list[tuple[str, DictConfig]]:
    """The defaults of both commands, and each option of each group, with the values that it has: checked."""
    options = [(group, option) for group, names in groups_of("train").items() for option in names]
    overrides = [[f"{group}={option}"] for group, option in options if option not in ("none", "eval", "default")]
    trained = [("train", composed("train", *given)) for given in [[], *overrides]]
    return [
        *trained,
        ("eval", composed("eval", "checkpoint=x")),
        ("eval", composed("eval", "checkpoint=x", "data=ms3")),
    ]


def composed(command: str, *overrides: str) -> DictConfig:
    return compose(command, overrides).config


def what_is_raised(cfg: DictConfig) -> Exception | None:
    try:
        check_values(cfg)
    except Exception as error:
        return error
    return None


def test_every_leaf_of_every_option_is_a_setting(configurations: list[tuple[str, DictConfig]]) -> None:
    keys: set[str] = set()
    for _, cfg in configurations:
        plain: Any = OmegaConf.to_container(cfg, resolve=True)
        keys |= {key for key, _ in leaves(plain)}
    assert {key for key in keys if not re.fullmatch(OF_CLASSES, key)} <= {*SETTINGS, "logger.wandb"}
    assert len(keys) > 110


def test_a_wrong_value_of_any_leaf_ends_in_a_sentence_that_names_it(
    configurations: list[tuple[str, DictConfig]],
) -> None:
    seen: set[tuple[str, str]] = {("train", "launcher.additional_parameters")}
    for command, cfg in configurations:
        plain: Any = OmegaConf.to_container(cfg)
        for key in sorted({key for key, _ in leaves(plain) if (command, key) not in seen}):
            if re.fullmatch(OF_CLASSES, key):
                continue
            wrong = cfg.copy()
            OmegaConf.set_struct(wrong, False)
            OmegaConf.update(wrong, key, {"a": [None]}, merge=False)
            error = what_is_raised(wrong)
            assert isinstance(error, UserError), key
            assert key in str(error)
            seen.add((command, key))
    assert len(seen) > 150


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_values_of_every_sort_are_taken_or_refused_by_name(key: str) -> None:
    taken = [value for value in WRONG if takes(key, value)]
    assert len(taken) <= len(WRONG) / 2
    assert not any(isinstance(value, float) and not math.isfinite(value) for value in taken)


def takes(key: str, value: Any) -> bool:
    try:
        value_of(key, value)
    except UserError as error:
        return key not in str(error)
    return True


def test_every_argument_of_lightnings_trainer_is_known() -> None:
    arguments = set(inspect.signature(pl.Trainer).parameters)
    assert arguments == {key.removeprefix("trainer.") for key in SETTINGS if key.startswith("trainer.")} | {
        *OWN_TRAINER
    }


@pytest.mark.parametrize(
    "override",
    [
        "trainer.devices=auto",
        "trainer.devices=[0,1]",
        "trainer.devices='0,1'",
        "trainer.deterministic=warn",
        "trainer.limit_train_batches=0.5",
        "+trainer.max_time='00:01:00:00'",
        "+trainer.max_time={hours: 1}",
        "+trainer.val_check_interval=0.25",
        "+data.persistent_workers=false",
        "data.limit=null",
        "study=2026",
        "decoder.channels=64",
        "++logger.wandb=null",
    ],
)
def test_values_of_several_kinds(hydra: None, override: str) -> None:
    composed("train", override, "debug=fast")


def test_a_home_is_put_in_for_its_sign(hydra: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cfg = composed("train", "paths.data_dir='~/data'", "paths.runs_dir='~'", "study=7")
    assert cfg.data.root == f"{tmp_path}/data"
    assert cfg.paths.output_dir.startswith(f"{tmp_path}/")
    assert cfg.study == "7"


def test_a_key_of_ones_own_that_a_setting_reads(hydra: None) -> None:
    cfg = composed("train", "+mine.size=64", "data.image_size=${mine.size}")
    assert cfg.data.image_size == 64


def test_arguments_of_a_class_of_ones_own_are_its_own(hydra: None) -> None:
    cfg = composed("train", "data._target_=mine.Data", "+data.colour=red", "data.batch_size=[1,2]")
    assert cfg.data.colour == "red"
