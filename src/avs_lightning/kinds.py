"""Kinds of values that a setting can have: each says in words what it takes, and reads what was given."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


class Unfit(ValueError):
    """A value is of another kind."""


@dataclass(frozen=True)
class Kind:
    """What a setting takes.

    Attributes:
        words: what it takes, as after "expected".
        read: returns the value to use, or raises `Unfit`.
        choices: the values, where there are few.
        file: whether it names a file or folder.
    """

    words: str
    read: Callable[[Any], Any]
    choices: tuple[str, ...] = ()
    file: bool = False


def whole(least: int | None = None, most: int | None = None) -> Kind:
    """A whole number within bounds."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not _within(value, least, most):
            raise Unfit
        return value

    return Kind(f"a whole number{_bounds(least, most)}", read)


def number(least: float | None = None, most: float | None = None, above: float | None = None) -> Kind:
    """A finite number within bounds."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unfit
        finite = abs(value) <= sys.float_info.max  # neither NaN nor a whole number that is too large
        if not finite or not _within(value, least, most) or (above is not None and value <= above):
            raise Unfit
        return value

    return Kind(f"a number{_bounds(least, most)}{'' if above is None else f' above {above:g}'}", read)


def _text(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1e9 < value < 1e9:
        value = str(value)  # study=2026
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Unfit
    return value


def _path(value: Any) -> str:
    written = _text(value)
    if len(written.encode()) > 4095 or any(len(part.encode()) > 255 for part in Path(written).parts):
        raise Unfit  # as the file systems of Linux would
    try:
        return str(Path(written).expanduser()) if written.startswith("~") else written
    except RuntimeError:  # no such user
        return written


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit
    return value


def _null(value: Any) -> None:
    if value is not None:
        raise Unfit


def _anything(value: Any) -> Any:
    return value


TEXT = Kind("a text", _text)
PATH = Kind("the path of a file or folder", _path, file=True)
FLAG = Kind("true or false", _flag, choices=("true", "false"))
NULL = Kind("null", _null)
ANYTHING = Kind("anything", _anything)


def choice(*names: str | int) -> Kind:
    """One of a few values."""

    def read(value: Any) -> Any:
        if isinstance(value, bool) or value not in names:
            raise Unfit
        return value

    texts = tuple(dict.fromkeys(map(str, names)))
    return Kind(f"one of {', '.join(texts)}", read, choices=texts)


def pattern(expression: str, words: str) -> Kind:
    """A text of a certain form."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(expression, value):
            raise Unfit
        return value

    return Kind(words, read)


def either(*kinds: Kind) -> Kind:
    """The first of several kinds that takes the value."""

    def read(value: Any) -> Any:
        for kind in kinds:
            try:
                return kind.read(value)
            except Unfit:
                continue
        raise Unfit

    choices = tuple(name for kind in kinds for name in kind.choices)
    return Kind(" or ".join(kind.words for kind in kinds), read, choices, any(kind.file for kind in kinds))


def optional(kind: Kind) -> Kind:
    """Null, too."""
    return replace(either(kind, NULL), choices=kind.choices)


def many(kind: Kind) -> Kind:
    """A list."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Unfit
        return [kind.read(item) for item in value]

    return Kind(f"a list, [...], of which each is {kind.words}", read)


def mapping(kind: Kind, *names: str) -> Kind:
    """Values by name."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or (names and not (value and set(value) <= set(names))):
            raise Unfit
        return {name: kind.read(item) for name, item in value.items()}

    return Kind(f"{{{', '.join(names) or 'name'}: value, ...}}, of which each is {kind.words}", read)


def _within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    return "" if least is None else f", {least:,} or more"
