"""A study as its file says it: axes, the settings that each value stands for, seeds, and the table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from avs_lightning.errors import UserError, choose
from avs_lightning.studies.spec.cell_spec import CellSpec
from avs_lightning.studies.spec.table_layout import TableLayout

FILE = "study.yaml"
KEYS = ("title", "question", "base", "data", "axes", "seeds", "table")
NEEDED = ("title", "axes", "table")
VARIANT_KEYS = ("base", "axes", "seeds", "labels")
RESERVED = ("data", "seed", "seeds", "state", "name", "note", "folder", "signature")
"""Words that stand for something else on the command line or among the results."""
SUFFIXES = (".yaml", ".yml")


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
    def layout(self) -> TableLayout:
        """How its table is laid out."""
        return TableLayout.parse(self.table, tuple(self.axes), self.name)

    @property
    def folder_name(self) -> str:
        """One for each data variant: `table_a1`, `table_a1-synthetic`."""
        return self.name if self.data == "real" else f"{self.name}-{self.data}"

    def cells(self, overrides: Sequence[str] = ()) -> Iterator[CellSpec]:
        """Every cell, the axes in their order, the seeds innermost; `overrides` come last and so are the strongest."""
        for values in itertools.product(*self.axes.values()):
            chosen = dict(zip(self.axes, values))
            settings = [text for axis, value in chosen.items() for text in self.axes[axis][value]]
            for seed in self.seeds:
                name = " ".join([*values, *([f"seed {seed}"] if len(self.seeds) > 1 else [])])
                yield CellSpec(name, chosen, (*self.base, *settings, *overrides, f"seed={seed}"))


def read_study(name: str, data: str | None = None) -> Study:
    """Read a study by its name, or by the path of its file or folder.

    Args:
        name: looked for in `experiments/` here, then among those of the package.
        data: one of the file's data variants; None: its first.

    Raises:
        UserError: no such study, or a file that does not say what it has to.
    """
    path = study_file(name)
    content = _content(path)
    variants = content.get("data") or {"real": {}}
    _settings(variants, f"{path}, data", "variants of the data")
    data = next(iter(variants)) if data is None else data
    hint = "; an override of the data set's own settings is data.KEY=VALUE"
    variant = variants[choose(data, variants, f"{study_name(path)}: data", hint)] or {}
    _settings(variant, f"{path}, data.{data}", ", ".join(VARIANT_KEYS))
    _known(variant, VARIANT_KEYS, f"{path}, data.{data}")
    axes = _axes(content["axes"], f"{path}, axes")
    for axis, changed in _axes(variant.get("axes") or {}, f"{path}, data.{data}.axes").items():
        _known([axis], axes, f"{path}, data.{data}.axes")
        _known(changed, axes[axis], f"{path}, data.{data}.axes.{axis}")
        axes[axis] = {**axes[axis], **changed}
    table = dict(_settings(content["table"], f"{path}, table", "what the table looks like"))
    shown = _settings(table.get("labels") or {}, f"{path}, table.labels", "axis: {value: label}")
    other = _settings(variant.get("labels") or {}, f"{path}, data.{data}.labels", "axis: {value: label}")
    table["labels"] = {**shown, **other}
    TableLayout.parse(table, {axis: list(values) for axis, values in axes.items()}, str(path))  # errors name the file
    return Study(
        name=study_name(path),
        title=str(content["title"]),
        question=str(content.get("question") or "").strip(),
        data=str(data),
        variants=tuple(map(str, variants)),
        base=(*_texts(content.get("base"), f"{path}, base"), *_texts(variant.get("base"), f"{path}, data.{data}.base")),
        axes=axes,
        seeds=_seeds(variant.get("seeds") or content.get("seeds") or [123], f"{path}, seeds"),
        table=table,
    )


def narrowed(study: Study, choices: Mapping[str, Sequence[str]], seeds: Sequence[int] | None = None) -> Study:
    """Return the study with some values of some axes only, or with other seeds.

    Raises:
        UserError: a value that the axis does not have.
    """
    axes = dict(study.axes)
    for axis, values in choices.items():
        _known([axis], axes, study.name)
        for value in values:
            choose(value, axes[axis], f"{study.name}: {axis}")
        axes[axis] = {value: settings for value, settings in study.axes[axis].items() if value in values}
    return replace(study, axes=axes, seeds=tuple(seeds) if seeds else study.seeds)


def study_file(name: str) -> Path:
    """Find a study's file.

    Raises:
        UserError: there is none; names those that there are.
    """
    given = Path(name)
    for path in (given, given / FILE):
        if path.suffix in SUFFIXES and path.is_file():
            return path.resolve()
    found = study_files()
    return found[choose(name, found, "study", f", or the path of a {FILE}")]


def study_files() -> dict[str, Path]:
    """Return every study by its name: those in `experiments/` here before those of the package."""
    packaged = Path(str(files("avs_lightning.experiments")))
    found: dict[str, Path] = {}
    for folder in (packaged, Path("experiments").resolve()):
        found |= {study_name(path): path for path in sorted(folder.glob(f"*/{FILE}"))}
    return dict(sorted(found.items()))


def study_name(path: Path) -> str:
    """Return the name of the study in a file: that of the folder, or of a file that is not called study.yaml."""
    return path.resolve().parent.name if path.name == FILE else path.stem


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if content is None:
        raise UserError(f"{path} is empty; a study has {', '.join(KEYS)}")
    _known(_settings(content, str(path), ", ".join(KEYS)), KEYS, str(path))
    for key in NEEDED:
        if not content.get(key):
            raise UserError(
                f"{path} lacks `{key}`; a study has {', '.join(KEYS)}, of which {', '.join(NEEDED)} have to be given"
            )
    return dict(content)


def _axes(given: Any, where: str) -> dict[str, dict[str, tuple[str, ...]]]:
    axes = {}
    for axis, values in _settings(given, where, "axis: {value: overrides}").items():
        if axis in RESERVED or not re.fullmatch(r"\w+", str(axis)):
            raise UserError(
                f"{where}: {axis!r} cannot name an axis: one word, and not {', '.join(RESERVED)}, which stand for "
                "something else"
            )
        _settings(values, f"{where}.{axis}", "value: overrides, at least one")
        if not values:
            raise UserError(f"{where}.{axis} has no values; expected value: overrides, at least one")
        if odd := [value for value in values if re.search(r"[\s,=]", str(value))]:
            raise UserError(
                f"{where}.{axis}: {odd[0]!r} cannot name a value: no space, comma or =; a label may have them"
            )
        axes[str(axis)] = {
            str(value): _texts(settings, f"{where}.{axis}.{value}") for value, settings in values.items()
        }
    return axes


def _seeds(given: Any, where: str) -> tuple[int, ...]:
    seeds = given if isinstance(given, list) else [given]
    if not all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds):
        raise UserError(f"{where}: expected whole numbers, as [0, 1, 2], not {given!r}")
    return tuple(dict.fromkeys(seeds))


def _texts(value: Any, where: str) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [] if value is None else [value]
    for text in texts:
        if not isinstance(text, str) or not ("=" in text or text.startswith("~")):
            raise UserError(f"{where}: {text!r} is no override; expected KEY=VALUE in quotes, as for avs train")
    return tuple(texts)


def _settings(content: Any, where: str, expected: str) -> Mapping[Any, Any]:
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: expected {expected}, not {content!r}")
    return content


def _known(content: Iterable[Any], allowed: Iterable[str], where: str) -> None:
    for key in content:
        choose(str(key), allowed, f"{where}: key")
