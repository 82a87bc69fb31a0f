"""How scores are written."""

import pytest

from avs_lightning.metrics.names import score_label, score_text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("miou_frame", 0.39449, "39.4"),
        ("miou_reference", 1.0, "100.0"),
        ("fscore_frame", 0.5698, ".570"),
        ("fscore_dataset", 0.9996, "1.000"),
        ("fscore_dataset", 0.0, ".000"),
        ("false_positive_rate", 0.0625, "6.2"),
        ("miou_second_3", float("nan"), "–"),
        ("fscore_frame", None, "–"),
    ],
)
def test_a_score_has_one_form(name: str, value: float | None, text: str) -> None:
    assert score_text(name, value) == text


def test_a_label_names_the_score_and_its_unit() -> None:
    names = ("miou_frame", "fscore_reference", "false_positive_rate", "other")
    assert [score_label(name) for name in names] == ["mIoU %", "F", "wrongly on %", "other"]
