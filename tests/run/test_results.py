"""What metrics.json holds, whatever has become of it."""

import pytest

from avs_lightning.run import Results
from avs_lightning.run.results import number


def test_what_a_training_leaves_and_what_an_evaluation_leaves() -> None:
    scores = {"true": {"miou_frame": 0.5}, "muted": {"miou_frame": 0.1}}
    trained = Results.read({"name": "a", "scores": scores, "epochs": 3, "best": {"epoch": 2}, "later": "unknown"})
    assert (trained.scores, trained.epochs, trained.best["epoch"], trained.split) == (scores, 3, 2, "")
    assert Results.read({"synthetic": False, "split": "val"}) == Results(synthetic=False, split="val")


def test_values_of_another_kind_are_empty() -> None:
    scores = {"true": {"miou_frame": "x", "fscore_frame": None, "miou_dataset": 0.5}, "muted": [1]}
    wrong = {"scores": scores, "cost": 3, "epochs": "4", "synthetic": "yes", "name": None, "code": []}
    assert Results.read(wrong) == Results(scores={"true": {"miou_dataset": 0.5}, "muted": {}})


@pytest.mark.parametrize("value", ["", "x", None, True, [], "nan", float("inf"), 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert number(value) is None
    assert number("1e-3") == 0.001
