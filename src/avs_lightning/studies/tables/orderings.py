"""The orderings that a paper claims, and whether a study's cells keep them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from avs_lightning.metrics.names import Score
from avs_lightning.studies.spec.table_layout import Claim, TableLayout

HELD, NOT_HELD, UNKNOWN = "held", "did not hold", "cannot be told"
Cells = Mapping[tuple[str, ...], pd.Series]
NamedScores = tuple[str, pd.Series]


@dataclass(frozen=True)
class Case:
    """A claim in one combination of the axes that it leaves open.

    Attributes:
        where: the combination, as it is shown; empty where the claim leaves nothing open.
        outcome: HELD, NOT_HELD or UNKNOWN.
        first: mean over the seeds of the cell that should be better, as it is shown; None where missing.
        second: of the best of the others that are there; None where there is none.
        rival: which cell `second` is of.
        missing: the cells that are missing.
        seeds_held: in how many seeds it held, of those that have all cells.
        seeds: how many those are.
    """

    where: str
    outcome: str
    first: float | None
    second: float | None
    rival: str
    missing: tuple[str, ...]
    seeds_held: int
    seeds: int

    def text(self, unit: Score) -> str:
        """Say it in words: "MS3 ResNet-50: did not hold, 41.20 against 43.02 (stages 3 4), better in 1 of 3 seeds"."""
        said = [self.outcome]
        if self.first is not None and self.second is not None:
            said.append(f"{unit.text(self.first)} against {unit.text(self.second)} ({self.rival})")
        if self.outcome == UNKNOWN:
            said.append(f"missing: {', '.join(self.missing)}")
        if self.seeds > 1:
            said.append(f"better in {self.seeds_held} of {self.seeds} seeds")
        return (f"{self.where}: " if self.where else "") + ", ".join(said)


@dataclass(frozen=True)
class Ordering:
    """A claim with all its cases."""

    claim: Claim
    cases: tuple[Case, ...]

    def count(self, outcome: str) -> int:
        """Return in how many cases it held, did not hold, or cannot be told."""
        return sum(case.outcome == outcome for case in self.cases)

    @property
    def counts(self) -> str:
        """Such as "held in 3 of 4", or "held in 2 of 4 (1 cannot be told)"."""
        if not self.cases:
            return "cannot be told (the study has none of these cells)"
        unknown = f" ({self.count(UNKNOWN)} cannot be told)" if self.count(UNKNOWN) else ""
        return f"held in {self.count(HELD)} of {len(self.cases)}{unknown}"


def judge_claims(measured: pd.DataFrame, layout: TableLayout) -> list[Ordering]:
    """Judge every claim of a layout.

    Means of the layout's leading score are compared; where seeds are missing, means of the seeds that are there. One
    missing cell leaves a claim open, unless another cell refutes it.

    Args:
        measured: a row a cell and seed, as `TableLayout.measured` returns them.
        layout: with the claims.
    """
    cells = {
        tuple(str(value) for value in key): group.set_index("seed")[layout.scores[0]].dropna()
        for key, group in measured.groupby(list(layout.axes), sort=False)
    }
    values = {axis: list(dict.fromkeys(measured[axis])) for axis in layout.axes}
    return [Ordering(claim, tuple(_compare(claim, cells, values, layout))) for claim in layout.claims]


def _compare(claim: Claim, cells: Cells, values: Mapping[str, Sequence[str]], layout: TableLayout) -> Iterator[Case]:
    open_axes = [axis for axis in layout.axes if axis not in claim.first]
    for combination in itertools.product(*(values[axis] for axis in open_axes)):
        others = dict(zip(open_axes, combination))
        if any(others.get(axis, value) != value for axis, value in claim.where.items()):
            continue
        first = _key(layout, others, claim.first)
        rivals = {_key(layout, others, side): side for side in _rival_sides(claim, values)}
        planned = {key: side for key, side in rivals.items() if key in cells}
        if first in cells and planned:
            where = " ".join(layout.label(axis, value) for axis, value in others.items() if len(values[axis]) > 1)
            named = [(_shown(layout, side), cells[key]) for key, side in planned.items()]
            yield _case(where, (_shown(layout, claim.first), cells[first]), named, layout.leading)


def _case(where: str, first: NamedScores, rivals: Sequence[NamedScores], unit: Score) -> Case:
    sign = 1 if unit.higher_is_better else -1
    missing = tuple(name for name, scores in (first, *rivals) if scores.empty)
    present = [(float(scores.mean()), name) for name, scores in rivals if not scores.empty]
    second, rival = max(present, key=lambda found: sign * found[0], default=(None, ""))
    mean = None if first[1].empty else float(first[1].mean())
    beaten = mean is not None and second is not None and sign * mean <= sign * second
    outcome = NOT_HELD if beaten else UNKNOWN if missing else HELD
    seeds = pd.concat([first[1], *(scores for _, scores in rivals)], axis=1, join="inner") * sign
    held = (seeds.iloc[:, 0] > seeds.iloc[:, 1:].max(axis=1)).sum()
    return Case(where, outcome, mean, second, rival, missing, int(held), len(seeds))


def _rival_sides(claim: Claim, values: Mapping[str, Sequence[str]]) -> list[Mapping[str, str]]:
    if claim.second is not None:
        return [claim.second]
    sides = (dict(zip(claim.first, side)) for side in itertools.product(*(values[axis] for axis in claim.first)))
    return [side for side in sides if side != claim.first]


def _key(layout: TableLayout, others: Mapping[str, str], side: Mapping[str, str]) -> tuple[str, ...]:
    return tuple({**others, **side}[axis] for axis in layout.axes)


def _shown(layout: TableLayout, side: Mapping[str, str]) -> str:
    """Name cells by their labels, with the axis where a label has no word in it."""
    labels = {axis: layout.label(axis, value) for axis, value in side.items()}
    return ", ".join(text if any(map(str.isalpha, text)) else f"{axis} {text}" for axis, text in labels.items())
