"""W&B's variables are the defaults of `logger.wandb`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_module

from avs_lightning.cli.groups import CONFIG_MODULE
from avs_lightning.cli.hydra_app import set_up_hydra
from avs_lightning.cli.sweep import compose
from avs_lightning.errors import UserError
from avs_lightning.studies.cells.composing import compose_cells, with_dashboard
from avs_lightning.studies.spec.cell_spec import CellSpec
from avs_lightning.training.wandb_variables import mode

VARIABLES = {
    "project": ("WANDB_PROJECT", "mine"),
    "entity": ("WANDB_ENTITY", "team"),
    "group": ("WANDB_RUN_GROUP", "nights"),
    "name": ("WANDB_NAME", "a name"),
    "job_type": ("WANDB_JOB_TYPE", "probe"),
    "notes": ("WANDB_NOTES", "tried, twice"),
    "dir": ("WANDB_DIR", "/scratch"),
    "mode": ("WANDB_MODE", "offline"),
}


@pytest.fixture
def settings() -> Iterator[Callable[..., Any]]:
    """`settings(override, ...)` gives what `logger.wandb` of a training holds."""
    set_up_hydra([])
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        yield lambda *given: compose("train", given).config.logger.wandb


@pytest.mark.parametrize("key", VARIABLES)
def test_a_variable_is_the_default_of_its_setting(
    settings: Callable, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    variable, value = VARIABLES[key]
    default = "avs-lightning" if key == "project" else None
    monkeypatch.setenv(variable, "")
    assert settings()[key] == default
    monkeypatch.setenv(variable, value)
    assert settings()[key] == value
    given = "online" if key == "mode" else "given"
    assert settings(f"logger.wandb.{key}={given}")[key] == given


def test_tags_stand_between_commas(settings: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().tags == []
    monkeypatch.setenv("WANDB_TAGS", "a, b=1,,")
    assert settings().tags == ["a", "b=1"]
    assert settings("logger.wandb.tags=[c]").tags == ["c"]


def test_cells_keep_their_own_names_and_the_group_of_their_study(
    settings: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [CellSpec(f"cell {seed}", {}, [f"seed={seed}"]) for seed in range(2)]

    def cells() -> list[dict[str, Any]]:
        made = compose_cells(specs, lambda given: compose("train", given))
        return [with_dashboard(cell, "study").config["logger"]["wandb"] for cell in made]

    assert [cell["name"] for cell in cells()] == ["cell 0", "cell 1"]
    assert {cell["group"] for cell in cells()} == {"study"}
    monkeypatch.setenv("WANDB_NAME", "night")
    monkeypatch.setenv("WANDB_RUN_GROUP", "nights")
    assert [(cell["group"], cell["name"]) for cell in cells()] == [
        ("nights", "night cell 0"),
        ("nights", "night cell 1"),
    ]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("online", "online"), ("offline", "offline"), ("disabled", "disabled"), ("dryrun", "offline"), ("run", "online")],
)
def test_modes_of_old_and_new_versions(monkeypatch: pytest.MonkeyPatch, given: str, meant: str) -> None:
    monkeypatch.setenv("WANDB_MODE", given)
    assert mode() == meant


@pytest.mark.parametrize("given", ["shared", "Offline", "nonsense"])
def test_an_unknown_mode_is_refused_by_the_name_of_the_variable(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", given)
    for several in ([], ["-m", "seed=1,2"]):
        ended = avs("train", *several, *tiny, f"paths.runs_dir={tmp_path}/runs")
        assert ended.code == 1
        assert f"WANDB_MODE={given}" in ended.err
        assert "logger.wandb.mode" not in ended.err
        assert not (tmp_path / "runs").exists()
    with pytest.raises(UserError, match="WANDB_MODE"):
        mode()


def test_without_wandb_its_variables_mean_nothing(settings: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    assert settings("logger=csv") is None
