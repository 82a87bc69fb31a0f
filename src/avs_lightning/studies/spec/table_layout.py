"""How a study's table is laid out: the `table:` of its study.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from avs_lightning.errors import UserError, choose
from avs_lightning.metrics.names import PROTOCOLS, SCORES, Score
from avs_lightning.studies.spec.published import check_comparable, published_names

KEYS = ("rows", "columns", "score", "protocol", "published", "labels", "published_values", "orderings")
CLAIM_KEYS = ("claim", "best", "higher", "lower", "where")


SHOWN = {"miou": replace(SCORES["miou"], decimals=2), "fscore": SCORES["fscore"], "fpr": SCORES["false_positive_rate"]}
"""The scores of a study's table, by the names that study.yaml and `--score` use; with the decimals of the papers."""


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
class TableLayout:
    """What `table:` says.

    Attributes:
        rows: axes that make the rows, the outermost first.
        columns: axes that make the columns, the outermost first.
        scores: of "miou", "fscore" and "fpr"; the first decides what is ordered or shown alone.
        protocol: of `metrics`, "reference@4" is "reference"; the false-positive rate has none.
        published: the published table to compare with, or None.
        labels: per axis how its values are shown.
        published_values: per axis how the published table spells its values, or the one value of a column that is no
            axis; else the value itself or its label is looked up.
        claims: orderings to judge.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    scores: tuple[str, ...] = ("miou", "fscore")
    protocol: str = "reference"
    published: str | None = None
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    published_values: Mapping[str, Mapping[str, str] | str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    @classmethod
    def parse(
        cls, given: Mapping[str, Any], axes: Mapping[str, Collection[str]] | Sequence[str], where: str
    ) -> TableLayout:
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
    def units(self) -> dict[str, Score]:
        """How each score is shown."""
        return {score: SHOWN[score] for score in self.scores}

    @property
    def leading(self) -> Score:
        """How the first score is shown."""
        return SHOWN[self.scores[0]]

    @property
    def title(self) -> str:
        """What is measured."""
        return " and ".join(unit.title for unit in self.units.values())

    @property
    def has_protocol(self) -> bool:
        """Whether a score of it is measured by several protocols."""
        return any(unit.has_protocol for unit in self.units.values())

    def of(self, scores: Sequence[str] = (), protocol: str | None = None) -> TableLayout:
        """Return this layout with other scores or by another protocol, as `--score` and `--protocol` name them.

        Raises:
            UserError: an unknown score or protocol, or a protocol for what has none.
        """
        chosen = replace(self, scores=_scores(scores, "--score") if scores else self.scores)
        if protocol is None:
            return chosen
        if not chosen.has_protocol:
            raise UserError(f"--protocol {protocol}: --score {','.join(chosen.scores)} has no protocol; leave it out")
        return replace(chosen, protocol=_protocol(protocol, "--protocol"))

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

    def measured(self, results: pd.DataFrame) -> pd.DataFrame:
        """Return a study's results as this table shows them.

        Args:
            results: a row a cell and seed; columns: the axes, "seed", "state", and scores as fractions.

        Returns:
            The same rows; columns: the axes (text), "seed", "state", the layout's scores (scaled as shown; NaN where
            not done), "encoder" ("" where it is not known).

        Raises:
            UserError: two rows are of the same cell and seed.
        """
        scores = results[[*self.axes, "seed", "state"]].astype(dict.fromkeys(self.axes, str)).reset_index(drop=True)
        for score, unit in self.units.items():
            found = results.get(unit.column(self.protocol), pd.Series(float("nan"), index=results.index))
            scores[score] = pd.to_numeric(found).to_numpy(dtype=float) * unit.scale
        scores.loc[scores["state"].astype(str) != "done", list(self.scores)] = float("nan")
        encoders = results.get("encoder", pd.Series("", index=results.index))
        scores["encoder"] = encoders.fillna("").astype(str).to_numpy()
        if (again := scores.duplicated([*self.axes, "seed"])).any():
            row = scores[again].iloc[0]
            raise UserError(
                f"two results for {', '.join(f'{axis}={row[axis]}' for axis in self.axes)}, seed={row['seed']}: "
                "a table cannot tell them apart; make what differs an axis of the study"
            )
        return scores


def _read(given: Mapping[str, Any], axes: Mapping[str, Collection[str]] | Sequence[str], where: str) -> TableLayout:
    _keys(given, KEYS, where)
    values: Mapping[str, Collection[str]] = axes if isinstance(axes, Mapping) else dict.fromkeys(axes, ())
    rows, columns = (_axis_names(given.get(key), values, f"{where}.{key}") for key in ("rows", "columns"))
    if missing := [axis for axis in values if axis not in (*rows, *columns)]:
        raise UserError(f"{where}: the axis {', '.join(missing)} is neither in rows nor in columns; put it into one")
    if twice := [axis for axis in values if [*rows, *columns].count(axis) > 1]:
        raise UserError(f"{where}: the axis {', '.join(twice)} is named twice; rows and columns share no axis")
    scores = _scores(given.get("score", TableLayout.scores), f"{where}.score")
    protocol = _protocol(given.get("protocol", "reference"), f"{where}.protocol")
    published = given.get("published")
    spelled = _axis_values(given.get("published_values"), f"{where}.published_values")
    if published is not None:
        published = choose(str(published), published_names(), f"{where}.published")
        check_comparable(published, scores, list(values), spelled, f"{where}.published")
    labels = {}
    for axis, shown in _axis_values(given.get("labels"), f"{where}.labels").items():
        choose(axis, values, f"{where}.labels: axis")
        if isinstance(shown, str):
            raise UserError(f"{where}.labels.{axis}: {shown!r} is not a mapping of values to labels")
        labels[axis] = {_value(axis, value, values, f"{where}.labels"): label for value, label in shown.items()}
    claims = tuple(
        _claim(claim, values, f"{where}.orderings[{i}]") for i, claim in enumerate(given.get("orderings") or ())
    )
    return TableLayout(rows, columns, scores, protocol, published, labels, spelled, claims)


def _scores(given: Any, where: str) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given or [])
    if not names:
        raise UserError(f"{where}: name at least one of {', '.join(SHOWN)}")
    return tuple(dict.fromkeys(choose(str(name), SHOWN, where) for name in names))


def _protocol(given: Any, where: str) -> str:
    return choose(str(given).removesuffix("@4"), PROTOCOLS, where)


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
    return tuple(choose(str(name), axes, where) for name in names)


def _axis_values(given: Any, where: str) -> dict[str, dict[str, str] | str]:
    if not isinstance(given or {}, Mapping):
        raise UserError(f"{where}: {given!r} is not a mapping of axes to their values")
    return {
        str(axis): {str(v): str(text) for v, text in value.items()} if isinstance(value, Mapping) else str(value)
        for axis, value in (given or {}).items()
    }


def _value(axis: str, value: str, axes: Mapping[str, Collection[str]], where: str) -> str:
    return choose(str(value), axes[axis], f"{where}.{axis}") if axes[axis] else value


def _keys(given: Any, allowed: Iterable[str], where: str) -> None:
    if not isinstance(given, Mapping):
        raise UserError(f"{where}: {given!r} is not a mapping with the keys {', '.join(allowed)}")
    for key in given:
        choose(str(key), allowed, f"{where}: key")
