"""How the resolved configurations of cells differ."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

PLACES = ("paths", "logger", "hydra", "launcher", "debug", "name", "resume")
PLACE_ENDINGS = (".root", "_dir")
ABSENT = "–"


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all cells.

    Attributes:
        key: its dotted name.
        also: the names of settings that differ in the same way.
        values: its value in each cell, as text.
    """

    key: str
    also: tuple[str, ...]
    values: tuple[str, ...]


def config_differences(settings: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Compare the settings of cells; a cell whose settings are empty is left out of the comparison.

    Names, places, the seed with what follows it, and what cannot change a result are left out, and what is a path in
    every cell; of a path only the end is shown. Settings that differ in the same way are one difference.
    """
    flat = [flatten(one) for one in settings]
    keys = list(dict.fromkeys(key for one in flat for key in one if not _is_place(key)))
    keys = [key for key in keys if any(one.get(key) != one.get("seed") for one in flat if one)]
    groups: dict[tuple[str, ...], list[str]] = {}
    for key in keys:
        values = [one.get(key) for one, whole in zip(flat, settings) if whole]
        if all(_is_path(value) for value in values):
            continue
        texts = tuple(_text(one, key) for one in flat)
        if len({text for text, whole in zip(texts, settings) if whole}) > 1:
            groups.setdefault(texts, []).append(key)
    differences = []
    for texts, names in groups.items():
        first = min(names, key=lambda name: name.count("."))
        differences.append(Difference(first, tuple(name for name in names if name != first), texts))
    return differences


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a tree of settings by their dotted names; lists are leaves."""
    leaves: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            leaves |= flatten(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def _is_place(key: str) -> bool:
    return key.split(".")[0] in PLACES or key.endswith(PLACE_ENDINGS)


def _text(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return ABSENT
    value = settings[key]
    if isinstance(value, str):
        return "…/" + "/".join(PurePath(value).parts[-2:]) if _is_path(value) else value
    return json.dumps(value, default=str, ensure_ascii=False)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and PurePath(value).is_absolute()
