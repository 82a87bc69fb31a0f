"""Whether cells keep the orderings that a paper claims."""

from collections.abc import Mapping, Sequence

import pandas as pd
import pytest

from avs_lightning.studies.spec.table_layout import SHOWN, Claim, TableLayout
from avs_lightning.studies.tables.orderings import HELD, NOT_HELD, UNKNOWN, Ordering, judge_claims

BEST = Claim("all is best", {"stages": "all"})
LABELS = {"setting": {"s4": "S4", "ms3": "MS3"}, "stages": {"all": "1 2", "one": "1", "two": "2"}}


def judged(
    scores: Mapping[tuple[str, str], Sequence[float | None]], claim: Claim = BEST, score: str = "miou"
) -> Ordering:
    """Judge cells (setting, stages) with percent by the seed; None: that seed is not done."""
    layout = TableLayout(rows=("setting",), columns=("stages",), scores=(score,), labels=LABELS, claims=(claim,))
    rows = [
        {"setting": setting, "stages": stages, "seed": seed, "state": "new" if value is None else "done",
         layout.leading.column(layout.protocol): None if value is None else value / 100}
        for (setting, stages), values in scores.items() for seed, value in enumerate(values)
    ]  # fmt: skip
    (ordering,) = judge_claims(layout.measured(pd.DataFrame(rows)), layout)
    return ordering


FULL = {
    ("s4", "one"): [68.5],
    ("s4", "two"): [70.0],
    ("s4", "all"): [72.0],
    ("ms3", "one"): [43.02],
    ("ms3", "two"): [41.0],
    ("ms3", "all"): [41.2],
}


def test_the_best_is_compared_with_the_best_of_the_others_in_every_combination() -> None:
    ordering = judged(FULL)
    s4, ms3 = ordering.cases
    assert (s4.where, s4.outcome, s4.rival) == ("S4", HELD, "stages 2")
    assert (ms3.where, ms3.outcome, ms3.rival) == ("MS3", NOT_HELD, "stages 1")
    assert (ms3.first, ms3.second) == (pytest.approx(41.2), pytest.approx(43.02))
    assert ordering.counts == "held in 1 of 2"
    assert s4.text(SHOWN["miou"]) == "S4: held, 72.00 against 70.00 (stages 2)"
    assert ms3.text(SHOWN["miou"]) == "MS3: did not hold, 41.20 against 43.02 (stages 1)"


def test_higher_and_lower_compare_two_values_only_where_it_is_claimed() -> None:
    claim = Claim("more is more", {"stages": "all"}, {"stages": "two"})
    assert [c.outcome for c in judged(FULL, claim).cases] == [HELD, HELD]
    (only,) = judged(FULL, Claim("", {"stages": "all"}, {"stages": "one"}, {"setting": "ms3"})).cases
    assert (only.where, only.outcome) == ("MS3", NOT_HELD)


def test_a_claim_may_fix_several_axes() -> None:
    (only,) = judged(FULL, Claim("", {"stages": "all", "setting": "s4"})).cases
    assert (only.where, only.outcome, only.rival) == ("", HELD, "stages 2, S4")


def test_equal_is_not_better() -> None:
    assert judged({("s4", "one"): [50], ("s4", "all"): [50]}).cases[0].outcome == NOT_HELD


def test_of_false_positives_fewer_are_better() -> None:
    ordering = judged({("s4", "one"): [3.0], ("s4", "two"): [5.0], ("s4", "all"): [2.0]}, score="fpr")
    assert ordering.cases[0].text(SHOWN["fpr"]) == "held, 2.0 against 3.0 (stages 1)"


@pytest.mark.parametrize(
    "one, two, best, outcome, missing",
    [
        (None, 50, 60, UNKNOWN, ("stages 1",)),
        (None, 70, 60, NOT_HELD, ("stages 1",)),  # another cell refutes it already
        (50, 50, None, UNKNOWN, ("stages 1 2",)),
        (None, None, None, UNKNOWN, ("stages 1 2", "stages 1", "stages 2")),
    ],
)
def test_a_missing_cell_leaves_it_open_unless_it_is_refuted(
    one: float | None, two: float | None, best: float | None, outcome: str, missing: tuple[str, ...]
) -> None:
    ordering = judged({("s4", "one"): [one], ("s4", "two"): [two], ("s4", "all"): [best]})
    (only,) = ordering.cases
    assert (only.outcome, only.missing) == (outcome, missing)
    assert ("missing: " + ", ".join(missing) in only.text(SHOWN["miou"])) == (outcome == UNKNOWN)
    assert ordering.counts == ("held in 0 of 1" if outcome == NOT_HELD else "held in 0 of 1 (1 cannot be told)")


def test_a_claim_about_cells_that_are_not_of_the_study_cannot_be_told() -> None:
    assert judged({("s4", "one"): [50], ("s4", "two"): [60]}).counts.startswith("cannot be told")


def test_means_decide_and_seeds_are_counted_where_all_cells_have_them() -> None:
    ordering = judged(
        {("s4", "one"): [50, 60, 40, 99], ("s4", "two"): [45, 45, 45, 45], ("s4", "all"): [55, 55, 90, None]}
    )
    (only,) = ordering.cases
    assert (only.first, only.second) == (pytest.approx(66.6667, abs=1e-3), pytest.approx(62.25))
    assert (only.outcome, only.seeds_held, only.seeds) == (HELD, 2, 3)
    assert only.text(SHOWN["miou"]).endswith("better in 2 of 3 seeds")
