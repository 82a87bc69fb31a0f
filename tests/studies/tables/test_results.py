"""A data frame from what cells have left."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan
from avs_lightning.studies.tables.results import results_of


def rows(*folders: Path) -> pd.DataFrame:
    """The rows of cells by their names, with a parent that is in no table."""
    cells = [Cell(folder.name, {"axis": folder.name}, 0, {}, folder.name, folder) for folder in folders]
    parent = Cell("parent", {}, 0, {}, "parent", Path("parent"), own=False)
    return results_of(Plan("study", "Title", "", False, [], [parent, *cells])).set_index("axis")


def test_a_row_a_cell_with_the_scores_of_every_sound(run: Callable[..., Path]) -> None:
    folder = run("a")
    found = rows(folder, folder.with_name("b"))
    assert list(found["state"]) == ["done", "new"]
    assert found.loc["a", "miou_reference"] == 0.5
    assert found.loc["a", "muted/miou_reference"] == 0.1
    assert found.loc["b"].isna()[["miou_reference", "muted/miou_reference"]].all()


@pytest.mark.parametrize("text", ['{"scores": {"true"', "", '{"scores": null}', "{}"])
def test_results_that_are_cut_or_lack_scores_have_none(run: Callable[..., Path], text: str) -> None:
    cut = run("a")
    (cut / "metrics.json").write_text(text)
    assert rows(cut, run("b"))["miou_reference"].isna().to_dict() == {"a": True, "b": False}
