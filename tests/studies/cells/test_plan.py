"""A study's memory of itself, and the state of its cells, by files alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan, with_parents


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Cell]:
    """`cell(name, parent="")`: a cell with a folder that is not there yet, and the name of its parent."""

    def make(name: str, parent: str = "", own: bool = True) -> Cell:
        config, folder = {"name": name, "rate": 1e-05}, tmp_path / "cells" / name
        above = make(parent) if parent else None
        return Cell(name, {"axis": name}, 0, config, f"sign-{name}", folder, above, own=own)

    return make


def test_a_plan_is_read_as_it_was_written(cell: Callable[..., Cell], tmp_path: Path) -> None:
    parent, child, study = cell("parent", own=False), cell("child", "parent"), tmp_path / "studies" / "study"
    plan = Plan("study", "Title", "Why?", True, ["a=b"], [parent, child], {"rows": "axis"})
    plan.save(study)
    assert Plan.load(study) == plan
    assert [(cell.label, cell.own) for cell in Plan.load(study).cells] == [("parent", False), ("child", True)]
    assert (plan.own, plan.layout.rows) == ([child], ("axis",))


def test_what_waits_for_a_failed_parent_is_blocked(cell: Callable[..., Cell]) -> None:
    cells = [cell("parent"), *(cell(name, "parent") for name in ("child", "sibling"))]
    Run(cells[0].folder).fail("out of memory")
    cells[2].folder.mkdir(parents=True)
    (cells[2].folder / "metrics.json").write_text("{}")
    states = Plan("study", "Title", "", False, [], cells).states()
    assert states == {"sign-parent": "failed", "sign-child": "blocked", "sign-sibling": "done"}


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
    children = [cell("a", "parent"), cell("b", "parent"), cell("c")]
    assert [c.name for c in with_parents(children)] == ["parent", "c", "a", "b"]
