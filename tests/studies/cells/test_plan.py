"""A study's memory of itself, and the state of its cells, by files alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from avs_lightning.errors import UserError
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan, locked_study, plan_of, with_parents, write_config


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Cell]:
    """`cell(name, parent=None)`: a cell with a folder that is not there yet."""

    def make(name: str, parent: Cell | None = None) -> Cell:
        return Cell(name, {"axis": name}, 0, {"name": name, "rate": 1e-05}, f"sign-{name}", tmp_path / name, parent)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    return tmp_path / "run"


def test_a_plan_is_read_as_it_was_written(cell: Callable[..., Cell], tmp_path: Path) -> None:
    parent = cell("parent")
    child = cell("child", parent)
    plan = plan_of([parent, child], "study", "Title", "Why?", True, ["a=b"], {"layout": {}, "axes": {}}, [child])
    plan.save(tmp_path / "deep" / "study")
    loaded = Plan.load(tmp_path / "deep" / "study")
    assert loaded == plan
    assert [(c.name, c.in_table, c.parent, c.folder) for c in loaded.cells] == [
        ("parent", False, None, "parent"), ("child", True, "sign-parent", "child"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"cells": 3}', '{"cells": [{"name": "a"}]}', '{"cells": [], "new": 1}', b"\xff"],
)
def test_a_damaged_plan_is_named_with_what_mends_it(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / "plan.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        UserError, match=r"plan\.json is damaged .*the same command .* writes it anew, and no cell is lost"
    ):
        Plan.load(tmp_path)


def test_a_folder_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no study: it has no plan\.json"):
        Plan.load(tmp_path / "nothing")


def test_parents_come_first_and_once(cell: Callable[..., Cell]) -> None:
    parent = cell("parent")
    children = [cell("a", parent), cell("b", replace(parent)), cell("c")]
    assert [c.name for c in with_parents(children)] == ["parent", "c", "a", "b"]


def test_a_cells_configuration_is_what_its_process_reads(cell: Callable[..., Cell]) -> None:
    write_config(cell("a"))
    assert yaml.safe_load((cell("a").folder / "config.yaml").read_text()) == {"name": "a", "rate": 1e-05}


def test_one_command_at_a_time_runs_a_study(tmp_path: Path) -> None:
    refused = pytest.raises(UserError, match="another command is running the study")
    with FileLock(tmp_path / ".lock"), refused, locked_study(tmp_path):
        raise AssertionError
    with locked_study(tmp_path), FileLock(tmp_path / "other"):
        pass
    with locked_study(tmp_path):  # it was let go
        pass
