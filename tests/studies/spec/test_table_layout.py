"""Layouts, as study.yaml has them."""

from typing import Any

import pandas as pd
import pytest

from avs_lightning.errors import UserError
from avs_lightning.studies.spec.table_layout import SHOWN, TableLayout

AXES = {"setting": ["s4", "ms3"], "backbone": ["resnet50"], "stages": ["stage1", "stages1234"]}
TABLE: dict[str, Any] = {
    "rows": ["setting", "backbone"],
    "columns": ["stages"],
    "score": "miou",
    "protocol": "reference",
    "published": "table_a1",
    "labels": {"setting": {"s4": "S4"}, "stages": {"stage1": "1", "stages1234": "1 2 3 4"}},
    "published_values": {"setting": {"ms3": "MS3"}},
    "orderings": [
        {"claim": "all is best", "best": {"stages": "stages1234"}},
        {
            "claim": "more is more",
            "higher": {"stages": "stages1234"},
            "lower": {"stages": "stage1"},
            "where": {"setting": "s4"},
        },
    ],
}


def test_a_layout_holds_what_the_file_says() -> None:
    layout = TableLayout.parse(TABLE, AXES, "study.yaml")
    assert (layout.rows, layout.columns, layout.axes) == (("setting", "backbone"), ("stages",), tuple(AXES))
    assert (layout.scores, layout.protocol, layout.published) == (("miou",), "reference", "table_a1")
    assert (layout.label("stages", "stages1234"), layout.label("backbone", "resnet50")) == ("1 2 3 4", "resnet50")
    best, more = layout.claims
    assert (best.text, best.first, best.second, best.where) == ("all is best", {"stages": "stages1234"}, None, {})
    assert (more.first, more.second) == ({"stages": "stages1234"}, {"stages": "stage1"})
    assert more.where == {"setting": "s4"}


def test_a_minimal_layout_has_defaults() -> None:
    layout = TableLayout.parse({"rows": "fusion"}, ["fusion"], "study.yaml")
    assert layout == TableLayout(rows=("fusion",), columns=())
    assert layout.scores == ("miou", "fscore")


def test_published_spellings_are_those_given_else_the_value_or_its_label() -> None:
    layout = TableLayout.parse(TABLE, AXES, "study.yaml")
    spelled = layout.spellings({"setting": "ms3", "backbone": "resnet50", "stages": "stage1"})
    assert spelled == {"setting": ["MS3"], "backbone": ["resnet50", "resnet50"], "stages": ["stage1", "1"]}
    fixed = TableLayout(rows=("init",), columns=(), published_values={"tpavi": "with"})
    assert fixed.spellings({"init": "scratch"}) == {"init": ["scratch", "scratch"], "tpavi": ["with"]}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"colums": []}, "study.yaml, table: key=colums is unknown; did you mean columns"),
        ({"rows": ["seting", "backbone"]}, "table.rows=seting is unknown; did you mean setting"),
        ({"rows": ["setting"]}, "table: the axis backbone is neither in rows nor in columns"),
        ({"columns": ["stages", "setting"]}, "the axis setting is named twice"),
        ({"score": "iou"}, "table.score=iou is unknown; did you mean miou"),
        ({"protocol": "frames"}, r"table.protocol=frames is unknown; did you mean frame\? \(allowed: reference"),
        ({"published": "table_1a"}, "table.published=table_1a is unknown; did you mean table_a"),
        ({"score": "fscore"}, "table.published: table_a1 has no fscore"),
        ({"score": ["miou", "f"]}, "table.score=f is unknown"),
        ({"score": []}, "table.score: name at least one of miou, fscore, fpr"),
        ({"labels": {"stage": {}}}, "table.labels: axis=stage is unknown; did you mean stages"),
        ({"labels": {"stages": {"stage_1": "1"}}}, "table.labels.stages=stage_1 is unknown; did you mean stage1"),
        ({"labels": {"stages": "1"}}, "table.labels.stages: '1' is not a mapping"),
        ({"labels": ["stages"]}, "table.labels: .* is not a mapping"),
        ({"orderings": ["best"]}, r"table.orderings\[0\]: 'best' is not a mapping with the keys claim, best"),
        ({"orderings": [{"claim": "c", "bset": {}}]}, "key=bset is unknown; did you mean best"),
        ({"orderings": [{"claim": "c"}]}, "either `best`, or `higher` and `lower`"),
        ({"orderings": [{"claim": "c", "higher": {"stages": "stage1"}}]}, "either `best`, or `higher` and `lower`"),
        ({"orderings": [{"best": {"stages": "stage1"}}]}, "`claim`"),
        ({"orderings": [{"claim": "c", "best": {}}]}, "at least one axis"),
        ({"orderings": [{"claim": "c", "best": {"stages": "stage5"}}]}, r"\[0\].best.stages=stage5 is unknown"),
        ({"orderings": [{"claim": "c", "higher": {"stages": "stage1"}, "lower": {"setting": "s4"}}]}, "the same ones"),
        ({"orderings": [{"claim": "c", "higher": {"setting": "s4"}, "lower": {"setting": "s4"}}]}, "the same cells"),
        ({"orderings": [{"claim": "c", "best": {"setting": "s4"}, "where": {"setting": "s4"}}]}, "`where` names"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        TableLayout.parse({**TABLE, **change}, AXES, "study.yaml")
    assert str(error.value).startswith("study.yaml, table")


def test_values_are_checked_only_where_they_are_given() -> None:
    layout = TableLayout.parse({**TABLE, "labels": {"stages": {"stage9": "9"}}}, list(AXES), "study.yaml")
    assert layout.label("stages", "stage9") == "9"


def test_scores_are_scaled_and_count_only_when_done() -> None:
    layout = TableLayout(rows=("init",), columns=())
    results = pd.DataFrame({"init": ["a", "a", "b"], "seed": [0, 1, 0], "state": ["done", "running", "new"]})
    results["miou_reference"] = [0.5, 0.6, None]
    scores = layout.measured(results)["miou"]
    assert scores[0] == 50
    assert scores[1:].isna().all()
    assert layout.measured(results.drop(columns="miou_reference"))["miou"].isna().all()
    with pytest.raises(UserError, match="two results for init=a, seed=0"):
        layout.measured(results.assign(seed=0))


def test_numbers_have_the_papers_decimals() -> None:
    assert SHOWN["miou"].text(72.785) in ("72.78", "72.79")
    assert (SHOWN["fscore"].text(0.84812), SHOWN["fpr"].text(3.26)) == (".848", "3.3")
    assert [SHOWN["fscore"].signed(value) for value in (0.0121, -0.0004)] == ["+.012", ".000"]
    assert [SHOWN["miou"].signed(value) for value in (1.5, -0.15, -0.001, 0.001)] == ["+1.50", "−0.15", "0.00", "0.00"]
    assert not SHOWN["fpr"].higher_is_better


def test_the_reference_by_other_batch_sizes() -> None:
    columns = {
        given: TableLayout.parse({**TABLE, "protocol": given}, AXES, "study.yaml").protocol
        for given in ("reference", "reference@4", "reference@2", "reference@1")
    }
    assert list(columns.values()) == ["reference", "reference", "reference@2", "reference@1"]
    with pytest.raises(UserError, match="reference@3"):
        TableLayout.parse({**TABLE, "protocol": "reference@3"}, AXES, "study.yaml")


def test_a_layout_is_shown_with_other_scores_and_by_another_protocol() -> None:
    layout = TableLayout.parse(TABLE, AXES, "study.yaml")
    other = layout.of(["fscore", "fpr"], "frame")  # table_a1 has neither
    assert [unit.column(other.protocol) for unit in other.units.values()] == ["fscore_frame", "false_positive_rate"]
    assert layout.of() == layout
    assert layout.of(protocol="reference@4") == layout
    for scores, protocol, message in (
        (["f"], None, "--score=f is unknown"),
        ([], "frames", "--protocol=frames is unknown; did you mean frame"),
        (["fpr"], "frame", "--protocol frame: --score fpr has no protocol"),
    ):
        with pytest.raises(UserError, match=message):
            layout.of(scores, protocol)
