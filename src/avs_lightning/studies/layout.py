"""How a study's table is laid out: the `table:` of its study.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from avs_lightning.errors import UserError, near_matches
from avs_lightning.metrics.names import PROTOCOLS
from avs_lightning.studies.published import check_comparable, published_names

KEYS = ("rows", "columns", "score", "protocol", "published", "labels", "published_values", "orderings")
CLAIM_KEYS = ("claim", "best", "higher", "lower", "where")


@dataclass(frozen=True)
class Score:
    """How a score is shown: `scale` times the measured fraction, with `decimals` decimals."""

    title: str
    scale: float
    decimals: int
    higher_is_better: bool = True

    def text(self, value: float) -> str:
        """Write a value that is already scaled."""
        return f"{value:.{self.decimals}f}"

    def signed(self, value: float) -> str:
        """Write a difference, with its sign unless it rounds to zero."""
        text = f"{abs(value):.{self.decimals}f}"
        return text if not float(text) else ("+" if value > 0 else "−") + text


SCORES = {
    "miou": Score("mIoU %", 100, 2),
    "fscore": Score("F-score", 1, 3),
    "fpr": Score("false-positive rate %", 100, 1, higher_is_better=False),
}


@dataclass(frozen=True)
class Claim:
    """An ordering that a paper claims: cells with `first` score better than those with `second`.

    Attributes:
        text: the claim in words.
        first: axis values of the better cells.
        second: axis values of the worse ones; None for every other value of the same axes.
        where: axis values for which it is claimed; empty for all.
    """

    text: str
    first: Mapping[str, str]
    second: Mapping[str, str] | None = None
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """What `table:` says.

    Attributes:
        rows: axes that make the rows, the outermost first.
        columns: axes that make the columns, the outermost first.
        score: "miou", "fscore" or "fpr".
        protocol: of `metrics`, "reference@4" is "reference"; the false-positive rate has none.
        published: the published table to compare with, or None.
        labels: per axis how its values are shown.
        published_values: per axis how the published table spells its values, or the one value of a column that is no
            axis; else the value itself or its label is looked up.
        claims: orderings to judge.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    score: str = "miou"
    protocol: str = "reference"
    published: str | None = None
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    published_values: Mapping[str, Mapping[str, str] | str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    @classmethod
    def parse(cls, given: Mapping[str, Any], axes: Mapping[str, Collection[str]] | Sequence[str], where: str) -> Layout:
        """Read a layout.

        Args:
            given: the content of `table:`.
            axes: the study's axes; with their values, labels and claims are checked for these too.
            where: the file, for error messages.

        Raises:
            UserError: an unknown key, axis, value, score, protocol or published table; an axis that is missing.
        """
        return _read(given, axes, f"{where}, table")

    @property
    def axes(self) -> tuple[str, ...]:
        """Every axis, those of the rows first."""
        return (*self.rows, *self.columns)

    @property
    def unit(self) -> Score:
        """How the score is shown."""
        return SCORES[self.score]

    @property
    def results_column(self) -> str:
        """The score's column among a study's results."""
        return "false_positive_rate" if self.score == "fpr" else f"{self.score}_{self.protocol}"

    def label(self, axis: str, value: str) -> str:
        """Return how an axis' value is shown."""
        return self.labels.get(axis, {}).get(value, value)

    def spellings(self, values: Mapping[str, str]) -> dict[str, list[str]]:
        """Return a cell's axis values in the spellings that the published table may use, for `published_score`."""
        spelled: dict[str, list[str]] = {}
        for axis, value in values.items():
            other = self.published_values.get(axis, {})
            fixed = other.get(value) if isinstance(other, Mapping) else None
            spelled[axis] = [fixed] if fixed is not None else [value, self.label(axis, value)]
        return spelled | {column: [value] for column, value in self.published_values.items() if isinstance(value, str)}

    def scores(self, results: pd.DataFrame) -> pd.DataFrame:
        """Return a study's results as this table shows them.

        Args:
            results: a row a cell and seed; columns: the axes, "seed", "state", and scores as fractions.

        Returns:
            The same rows; columns: the axes (text), "seed", "state", "score" (scaled as shown; NaN where not done),
            "encoder" ("" where it is not known).

        Raises:
            UserError: two rows are of the same cell and seed.
        """
        scores = results[[*self.axes, "seed", "state"]].astype(dict.fromkeys(self.axes, str)).reset_index(drop=True)
        measured = results.get(self.results_column, pd.Series(float("nan"), index=results.index))
        scores["score"] = pd.to_numeric(measured).to_numpy(dtype=float) * self.unit.scale
        scores.loc[scores["state"].astype(str) != "done", "score"] = float("nan")
        encoders = results.get("encoder", pd.Series("", index=results.index))
        scores["encoder"] = encoders.fillna("").astype(str).to_numpy()
        if (again := scores.duplicated([*self.axes, "seed"])).any():
            row = scores[again].iloc[0]
            raise UserError(
                f"two results for {', '.join(f'{axis}={row[axis]}' for axis in self.axes)}, seed={row['seed']}: "
                "a table cannot tell them apart; make what differs an axis of the study"
            )
        return scores


def _read(given: Mapping[str, Any], axes: Mapping[str, Collection[str]] | Sequence[str], where: str) -> Layout:
    _keys(given, KEYS, where)
    values: Mapping[str, Collection[str]] = axes if isinstance(axes, Mapping) else dict.fromkeys(axes, ())
    rows, columns = (_axis_names(given.get(key), values, f"{where}.{key}") for key in ("rows", "columns"))
    if missing := [axis for axis in values if axis not in (*rows, *columns)]:
        raise UserError(f"{where}: the axis {', '.join(missing)} is neither in rows nor in columns; put it into one")
    if twice := [axis for axis in values if [*rows, *columns].count(axis) > 1]:
        raise UserError(f"{where}: the axis {', '.join(twice)} is named twice; rows and columns share no axis")
    score = _one_of(given.get("score", "miou"), SCORES, f"{where}.score")
    protocol = _one_of(str(given.get("protocol", "reference")).removesuffix("@4"), PROTOCOLS, f"{where}.protocol")
    published = given.get("published")
    spelled = _axis_values(given.get("published_values"), f"{where}.published_values")
    if published is not None:
        published = _one_of(published, published_names(), f"{where}.published")
        check_comparable(published, score, list(values), spelled, f"{where}.published")
    labels = {}
    for axis, shown in _axis_values(given.get("labels"), f"{where}.labels").items():
        _one_of(axis, values, f"{where}.labels")
        if isinstance(shown, str):
            raise UserError(f"{where}.labels.{axis}: {shown!r} is not a mapping of values to labels")
        labels[axis] = {_value(axis, value, values, f"{where}.labels"): label for value, label in shown.items()}
    claims = tuple(
        _claim(claim, values, f"{where}.orderings[{i}]") for i, claim in enumerate(given.get("orderings") or ())
    )
    return Layout(rows, columns, score, protocol, published, labels, spelled, claims)


def _claim(given: Any, values: Mapping[str, Collection[str]], where: str) -> Claim:
    _keys(given, CLAIM_KEYS, where)
    sides = {}
    for key in ("best", "higher", "lower", "where"):
        if key in given:
            _keys(given[key], values, f"{where}.{key}")
            sides[key] = {str(a): _value(str(a), str(v), values, f"{where}.{key}") for a, v in given[key].items()}
    if "claim" not in given or sides.keys() - {"where"} not in ({"best"}, {"higher", "lower"}):
        raise UserError(f"{where}: a claim has `claim` (its words) and either `best`, or `higher` and `lower`")
    first, second = sides.get("best", sides.get("higher", {})), sides.get("lower")
    if not first or (second is not None and first.keys() != second.keys()):
        raise UserError(f"{where}: `best`, or both `higher` and `lower`, name at least one axis, and the same ones")
    if both := first.keys() & sides.get("where", {}).keys():
        raise UserError(f"{where}: `where` names {', '.join(both)}, which the claim itself compares")
    if second == first:
        raise UserError(f"{where}: `higher` and `lower` are the same cells")
    return Claim(str(given["claim"]), first, second, sides.get("where", {}))


def _axis_names(given: Any, axes: Mapping[str, Collection[str]], where: str) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given or [])
    return tuple(_one_of(name, axes, where) for name in names)


def _axis_values(given: Any, where: str) -> dict[str, dict[str, str] | str]:
    if not isinstance(given or {}, Mapping):
        raise UserError(f"{where}: {given!r} is not a mapping of axes to their values")
    return {
        str(axis): {str(v): str(text) for v, text in value.items()} if isinstance(value, Mapping) else str(value)
        for axis, value in (given or {}).items()
    }


def _value(axis: str, value: str, axes: Mapping[str, Collection[str]], where: str) -> str:
    return _one_of(value, axes[axis], f"{where}.{axis}") if axes[axis] else value


def _keys(given: Any, allowed: Iterable[str], where: str) -> None:
    if not isinstance(given, Mapping):
        raise UserError(f"{where}: {given!r} is not a mapping with the keys {', '.join(allowed)}")
    for key in given:
        _one_of(key, allowed, where)


def _one_of(given: Any, allowed: Iterable[str], where: str) -> str:
    allowed = list(allowed)
    if str(given) not in allowed:
        raise UserError(
            f"{where}: {given!r} is unknown{near_matches(str(given), allowed)} (allowed: {', '.join(allowed)})"
        )
    return str(given)
