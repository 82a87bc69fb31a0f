"""A study as its file says it: axes, the settings that each value stands for, seeds, and the table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from avs_lightning.errors import UserError, near_matches
from avs_lightning.studies.layout import Layout

FILE = "study.yaml"
KEYS = ("title", "question", "base", "data", "axes", "seeds", "table")
VARIANT_KEYS = ("base", "axes", "seeds", "labels")


@dataclass(frozen=True)
class Point:
    """A cell before it is composed: its axes' values, its seed, and the overrides that make its configuration."""

    parameters: Mapping[str, str]
    seed: int
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """What `study.yaml` holds.

    Attributes:
        name: of the study's folder.
        title: of the table.
        question: what the study asks.
        data: which of the file's data variants this is ("real", "synthetic", ...).
        variants: all of them, the default first.
        base: overrides of every cell.
        axes: per axis its values, each with the overrides that it stands for.
        seeds: each cell is trained once with each.
        table: what the file says of its table, with the labels of the data variant.
    """

    name: str
    title: str
    question: str
    data: str
    variants: tuple[str, ...]
    base: tuple[str, ...]
    axes: Mapping[str, Mapping[str, tuple[str, ...]]]
    seeds: tuple[int, ...]
    table: Mapping[str, Any]

    @property
    def layout(self) -> Layout:
        """How its table is laid out."""
        return Layout.parse(self.table, tuple(self.axes), self.name)

    @property
    def folder_name(self) -> str:
        """One for each data variant: `table_a1`, `table_a1-synthetic`."""
        return self.name if self.data == "real" else f"{self.name}-{self.data}"

    def points(self, overrides: Sequence[str] = ()) -> Iterator[Point]:
        """Every cell, the axes in their order, the seeds innermost; `overrides` come last and so are the strongest."""
        for values in itertools.product(*self.axes.values()):
            chosen = dict(zip(self.axes, values))
            settings = [text for axis, value in chosen.items() for text in self.axes[axis][value]]
            for seed in self.seeds:
                yield Point(chosen, seed, (*self.base, *settings, *overrides, f"seed={seed}"))


def read_study(name: str, data: str | None = None) -> Study:
    """Read a study by its name, or by the path of its file or folder.

    Args:
        name: looked for in `experiments/` here, then among those of the package.
        data: one of the file's data variants; None: its first.

    Raises:
        UserError: no such study, or a file that does not say what it has to.
    """
    path = study_file(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    _known(content, KEYS, str(path))
    for key in ("title", "axes", "table"):
        if key not in content:
            raise UserError(f"{path} lacks `{key}`; a study has {', '.join(KEYS)}")
    variants = content.get("data") or {"real": {}}
    data = data or next(iter(variants))
    if data not in variants:
        raise UserError(
            f"{path.parent.name} has no data={data}{near_matches(data, variants)}; it has {', '.join(variants)}"
        )
    variant = variants[data] or {}
    _known(variant, VARIANT_KEYS, f"{path}, data.{data}")
    axes = {str(axis): _values(values, f"{path}, axes.{axis}") for axis, values in content["axes"].items()}
    for axis, values in (variant.get("axes") or {}).items():
        _known({axis: None}, axes, f"{path}, data.{data}.axes")
        changed = _values(values, f"{path}, data.{data}.axes.{axis}")
        _known(changed, axes[axis], f"{path}, data.{data}.axes.{axis}")
        axes[axis] = {**axes[axis], **changed}
    table = dict(content["table"])
    table["labels"] = {**(table.get("labels") or {}), **(variant.get("labels") or {})}
    Layout.parse(table, {axis: list(values) for axis, values in axes.items()}, str(path))  # errors name the file
    return Study(
        name=path.parent.name,
        title=str(content["title"]),
        question=str(content.get("question", "")).strip(),
        data=data,
        variants=tuple(variants),
        base=(*_texts(content.get("base"), f"{path}, base"), *_texts(variant.get("base"), f"{path}, data.{data}.base")),
        axes=axes,
        seeds=tuple(int(seed) for seed in variant.get("seeds") or content.get("seeds") or [123]),
        table=table,
    )


def narrowed(study: Study, choices: Mapping[str, Sequence[str]], seeds: Sequence[int] | None = None) -> Study:
    """Return the study with some values of some axes only, or with other seeds.

    Raises:
        UserError: a value that the axis does not have.
    """
    axes = dict(study.axes)
    for axis, values in choices.items():
        for value in values:
            if value not in axes[axis]:
                raise UserError(
                    f"{study.name}: {axis}={value} is not one of {', '.join(study.axes[axis])}"
                    f"{near_matches(value, study.axes[axis])}"
                )
        axes[axis] = {value: settings for value, settings in study.axes[axis].items() if value in values}
    return replace(study, axes=axes, seeds=tuple(seeds) if seeds else study.seeds)


def study_file(name: str) -> Path:
    """Find a study's file.

    Raises:
        UserError: there is none; names those that there are.
    """
    given = Path(name)
    for path in (given, given / FILE):
        if path.suffix in (".yaml", ".yml") and path.is_file():
            return path.resolve()
    found = study_files()
    if name not in found:
        raise UserError(
            f"there is no study {name!r}{near_matches(name, found)}; there are {', '.join(found)} "
            f"(or the path of a {FILE})"
        )
    return found[name]


def study_files() -> dict[str, Path]:
    """Return every study by its name: those in `experiments/` here before those of the package."""
    packaged = Path(str(files("avs_lightning.experiments")))
    found: dict[str, Path] = {}
    for folder in (packaged, Path("experiments").resolve()):
        found |= {path.parent.name: path for path in sorted(folder.glob(f"*/{FILE}"))}
    return dict(sorted(found.items()))


def _values(values: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(values, Mapping) or not values:
        raise UserError(f"{where}: expected `value: overrides`, at least one, not {values!r}")
    return {str(value): _texts(settings, f"{where}.{value}") for value, settings in values.items()}


def _texts(value: Any, where: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else list(value or [])
    for text in texts:
        if not isinstance(text, str) or "=" not in text:
            raise UserError(f"{where}: {text!r} is no override; expected KEY=VALUE in quotes, as for avs train")
    return tuple(texts)


def _known(content: Any, allowed: Sequence[str] | Mapping[str, Any], where: str) -> None:
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: expected settings, {', '.join(allowed)}")
    for key in content:
        if key not in allowed:
            raise UserError(
                f"{where}: {key!r} is unknown{near_matches(str(key), allowed)}; allowed: {', '.join(allowed)}"
            )
