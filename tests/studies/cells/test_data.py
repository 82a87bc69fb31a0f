"""Another data set at data.root is found before anything is trained."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate

from avs_lightning.data.fingerprint import dataset_fingerprint
from avs_lightning.errors import UserError
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.data import check_same_data


def settings(root: Path) -> dict[str, Any]:
    return {"_target_": "avs_lightning.data.MS3DataModule", "name": "ms3", "root": str(root), "image_size": 32}


def fingerprint_in(root: Path) -> str:
    return dataset_fingerprint(instantiate(settings(root)))


@pytest.fixture
def cell(tiny_ms3: Path, tmp_path: Path) -> Callable[..., Cell]:
    """`cell(name, trained_on=None, root=...)`: a cell, done on the data set in a folder where one is given."""

    def make(name: str, trained_on: Path | None = None, root: Path = tiny_ms3, **more: Any) -> Cell:
        folder = tmp_path / "cells" / name
        folder.mkdir(parents=True)
        if trained_on:
            (folder / "metrics.json").write_text(json.dumps({"fingerprint": fingerprint_in(trained_on)}))
        return Cell(name, {}, 0, {"data": settings(root) | more}, name, folder)

    return make


@pytest.fixture
def moved(tiny_ms3: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_ms3, tmp_path / "moved")


def test_the_same_data_in_another_folder_is_fine(cell: Callable[..., Cell], tiny_ms3: Path, moved: Path) -> None:
    check_same_data([cell("done", tiny_ms3, moved), cell("new", None, moved)])


def test_other_data_is_refused_with_the_cells_it_would_be_mixed_with(
    cell: Callable[..., Cell], tiny_ms3: Path, official_ms3: Callable[..., Path], tmp_path: Path
) -> None:
    other = official_ms3(tmp_path / "other", train=4, val=3, test=3)
    cells = [cell("one", tiny_ms3, other), cell("two", tiny_ms3, other), cell("new", None, other)]
    with pytest.raises(UserError) as error:
        check_same_data(cells)
    message, (now, before) = str(error.value), (fingerprint_in(root) for root in (other, tiny_ms3))
    assert "2 of 3 cells were trained on another data set" in message
    assert f"data.root={other} (fingerprint {now})" in message
    assert f"  one: fingerprint {before}, in {cells[0].folder}" in message
    assert "  two: " in message
    assert "paths.runs_dir=FOLDER" in message


def test_missing_data_is_told_once_where_a_cell_needs_it(
    cell: Callable[..., Cell], tiny_ms3: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    done = cell("done", tiny_ms3, gone)
    check_same_data([done])  # results alone are enough for a table
    with pytest.raises(UserError, match="gone"):
        check_same_data([done, cell("new", None, gone)])
    check_same_data([cell("without", None, gone), cell("with", None, tiny_ms3)])  # the first fails, the other goes on


def test_drawn_clips_and_cells_of_before_fingerprints_are_left_alone(cell: Callable[..., Cell], tmp_path: Path) -> None:
    drawn = cell("drawn", None, tmp_path / "unwritten", synthetic={"clips": {"train": 1}})
    (drawn.folder / "metrics.json").write_text('{"fingerprint": "another"}')
    old = cell("old")
    (old.folder / "metrics.json").write_text("{}")
    check_same_data([drawn, old])
