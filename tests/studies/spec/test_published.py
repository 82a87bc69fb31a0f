"""Published numbers: those of the paper, with their source, found by the values of axes."""

from pathlib import Path

import pandas as pd
import pytest

from avs_lightning.errors import UserError
from avs_lightning.studies.spec.published import check_comparable, published_names, published_score, published_table


@pytest.mark.parametrize("name, rows", [("table_a1", 28), ("table_a2", 8)])
def test_the_supplementary_tables_are_the_papers(name: str, rows: int, shared: Path) -> None:
    ours = published_table(name)
    paper = pd.read_csv(shared / "paper" / f"{name}.csv", dtype={"stages": str})
    assert len(ours) == rows
    pd.testing.assert_frame_equal(ours.drop(columns="source"), paper, check_dtype=False)


def test_the_comparison_is_the_papers(shared: Path) -> None:
    ours = published_table("comparison")
    paper = pd.read_csv(shared / "paper" / "comparison.csv").set_index("method")
    assert len(ours) == 2 * len(paper)
    for row in ours.to_dict("records"):
        setting, method = row["setting"].lower(), row["method"]
        assert row["miou"] == paper.loc[method, f"{setting}_miou"]
        assert row["fscore"] == paper.loc[method, f"{setting}_fscore"]
        assert row["task"] == paper.loc[method, "task"]


@pytest.mark.parametrize("name", published_names())
def test_every_number_has_its_source(name: str) -> None:
    assert published_table(name)["source"].str.startswith("Zhou et al.").all()


def test_an_unknown_table_is_told_with_near_matches() -> None:
    with pytest.raises(UserError, match=r"=table_a3 is unknown; did you mean .*table_a2.* \(allowed: comparison"):
        published_table("table_a3")


def test_a_number_is_found_by_any_spelling_and_by_nothing_less_than_one_row() -> None:
    table = published_table("table_a1")
    cell = {"setting": ["s4", "S4"], "backbone": ["resnet50"], "stages": ["stages34", "3 4"]}
    assert published_score(table, "miou", cell) == 71.29
    assert published_score(table, "fscore", cell) is None  # not published
    assert published_score(table, "miou", {**cell, "stages": ["stage5"]}) is None
    assert published_score(table, "miou", {"setting": ["S4"], "backbone": ["resnet50"]}) is None  # seven fit


@pytest.mark.parametrize(
    "name, score, axes, spelled, message",
    [
        ("table_a1", "fscore", ["setting", "backbone", "stages"], {}, "table_a1 has no fscore or fpr"),
        ("table_a1", "miou", ["settings", "backbone", "stages"], {}, "=settings is unknown; did you mean setting"),
        ("table_a2", "miou", ["backbone", "init"], {}, r"several values of 'tpavi' \(with, without\).*{tpavi: ...}"),
        ("table_a2", "miou", ["backbone", "init"], {"tpavi": "wiht"}, "=wiht is unknown; did you mean with"),
        ("table_a1", "miou", ["setting", "backbone", "stages"], {"setting": {"s4": "S5"}}, "setting of table_a1=S5"),
    ],
)
def test_what_cannot_be_compared_is_told(
    name: str, score: str, axes: list[str], spelled: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        check_comparable(name, [score, "fpr"], axes, spelled, "study.yaml, table.published")
    assert str(error.value).startswith("study.yaml, table.published: ")


def test_a_column_that_is_no_axis_may_be_fixed() -> None:
    check_comparable("table_a2", ["miou", "fscore"], ["backbone", "init"], {"tpavi": "with"}, "")
    check_comparable("comparison", ["fscore"], ["setting", "method"], {}, "")  # a method has one task
