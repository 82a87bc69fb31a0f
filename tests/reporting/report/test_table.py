"""The table's numbers: units, drops, gaps."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from avs_lightning.reporting.report import Report
from avs_lightning.reporting.report.results import RunResults, read_results
from avs_lightning.reporting.report.table import Entry, columns, groups, summary


@pytest.fixture
def results(study: Callable[..., Report]) -> list[RunResults]:
    return read_results(study().runs)


def entries(results: list[RunResults], group: str, title: str, number: int = 0) -> list[Entry]:
    return [found for column, found in columns(results, "frame") if (column.group, column.title) == (group, title)][
        number
    ]


def test_scores_are_percent_and_drops_are_points(results: list[RunResults]) -> None:
    assert [entry.text for entry in entries(results, "scores", "mIoU %")] == ["10.00", "20.00", "30.00", "40.00", "–"]
    assert [entry.share for entry in entries(results, "scores", "mIoU %")][:2] == [0.1, 0.2]
    assert entries(results, "scores", "FPR %")[0].text == "9.00"
    assert entries(results, "probes", "muted")[3].text == "8.0"
    drop = entries(results, "probes", "drop")
    assert drop[3].value == pytest.approx(32)
    assert drop[4] == Entry("–", None)


def test_costs_have_their_units(results: list[RunResults]) -> None:
    found = {
        title: entries(results, "cost", title)[1].text
        for title in ("train min", "clips/s", "memory MiB", "parameters M")
    }
    assert found == {"train min": "2.0", "clips/s": "50.0", "memory MiB": "1,000", "parameters M": "10.00"}


def test_the_protocol_chooses_the_scores(study: Callable[..., Report]) -> None:
    results = read_results(study().runs)
    results[0].scores["true"]["miou_dataset"] = 0.77
    (found,) = [e for c, e in columns(results, "dataset") if c.title == "mIoU %"]
    assert found[0].text == "77.00"


def test_an_axis_of_numbers_is_sorted_as_numbers(study: Callable[..., Report]) -> None:
    runs = [replace(run, parameters={"devices": devices, "mixed": mixed})
            for run, devices, mixed in zip(study().runs, ("2", "10", ""), ("2", "x", "1"))]  # fmt: skip
    kinds = {
        column.title: (column.kind, [e.value for e in found]) for column, found in columns(read_results(runs), "frame")
    }
    assert kinds["devices"] == ("number", [2, 10, None])
    assert kinds["mixed"] == ("text", ["2", "x", "1"])


def test_groups_cover_all_columns(results: list[RunResults]) -> None:
    found = columns(results, "frame")
    assert [name for name, _, _ in groups(found)] == ["parameters", "scores", "probes", "cost"]
    assert sum(count for _, _, count in groups(found)) == len(found)


def test_the_few_numbers_at_the_top(results: list[RunResults]) -> None:
    tiles = {tile["name"]: (tile["value"], tile["of"]) for tile in summary(results, "frame")}
    assert tiles["cells done"] == ("4 of 5", "1 blocked")
    assert tiles["best mIoU"] == ("40.00 %", results[3].label)
    assert tiles["the same, muted"] == ("8.00 %", "32.0 points lost")
    assert tiles["training, in all"] == ("10.0 min", "4 of 5")
    assert [tile["name"] for tile in summary(results[4:], "frame")] == []
