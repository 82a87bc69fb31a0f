"""`avs options`: every setting has a meaning, and is found by its group or its name."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hydra import initialize_config_module
from omegaconf import OmegaConf

from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.cli.options import UNSHOWN, meanings, read_options
from avs_lightning.cli.sweep import compose


def leaves(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        if key in UNSHOWN:
            continue
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.parametrize(
    "command, overrides",
    [
        ("train", ["data=ms3"]),
        ("train", ["data=synthetic_ms3", "launcher=slurm", "init=single_source"]),
        ("train", ["launcher=parallel", "fusion=none"]),
        ("eval", ["data=s4"]),
    ],
)
def test_every_setting_has_a_meaning(command: str, overrides: list[str]) -> None:
    set_up_hydra(overrides)
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        config: Any = OmegaConf.to_container(compose(command, overrides).config, resolve=False)
    meant = meanings(read_options())
    groups = {option.group for option in read_options()}
    settings = [key for key in leaves(config) if key not in groups and not key.startswith(INLINE)]
    assert [key for key in settings if not meant.get(key)] == []


INLINE = ("data.synthetic.clips.", "init.parent.")  # a mapping on one line, with one meaning


def test_every_option_has_a_meaning_or_settings_that_have() -> None:
    for option in read_options():
        assert option.meaning or option.settings, f"{option.group}={option.name}"


def test_groups_and_the_settings_of_both_commands_are_listed(avs: Callable) -> None:
    ended = avs("options")
    assert ended.code == 0
    for text in ("encoder", "pvt_v2_b5", "any timm backbone", "stages1234", "avs train", "avs eval", "probe_sounds ="):
        assert text in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_a_group_shows_its_options_and_where_their_defaults_differ(avs: Callable) -> None:
    ended = avs("options", "encoder")
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "encoder.drop_path = 0.1 (encoder=pvt_v2_b0, encoder=pvt_v2_b5); 0.0 (encoder=resnet18, " in said
    assert "stochastic depth" in said


@pytest.mark.parametrize("asked", ["method.loss.avm_normalize", "method.loss", "method"])
def test_a_setting_is_found_by_its_name_and_by_what_it_belongs_to(avs: Callable, asked: str) -> None:
    ended = avs("options", asked)
    assert ended.code == 0
    assert "method.loss.avm_normalize = false" in ended.out
    assert ("label = " in ended.out) is (asked == "method")


@pytest.mark.parametrize("asked, near", [("encodr", "encoder"), ("encoder.drop_pat", "encoder.drop_path")])
def test_a_mistyped_name_shows_the_nearest(avs: Callable, asked: str, near: str) -> None:
    ended = avs("options", asked)
    assert ended.code == 1
    assert f"{asked!r}" in ended.err
    assert near in ended.err.partition("did you mean")[2]


def test_no_torch_is_needed(avs_process: Callable) -> None:
    before = "import atexit; atexit.register(lambda: print('torch' in sys.modules))"
    ended = avs_process("options", "schedule", before=before)
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == "False"
    assert "schedule.warmup_steps" in ended.out
