"""Words of the command line as Hydra's overrides, KEY=VALUE."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from avs_lightning.errors import UserError

WITH_VALUE = (
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--info",
    "-i", "--run-folder",
)  # fmt: skip
"""Options that take the next word."""
LISTS = ("probes",)
"""Settings of which `a,b` is a list: a sweep over them would change no result."""


def readable(argv: Sequence[str], command: str) -> list[str]:
    """Return a command line that Hydra can parse: a value that its grammar does not know is taken as plain text.

    Paths have characters that mean something in that grammar: `=`, `~`, quotes, letters beyond ASCII.

    Raises:
        UserError: a word that is no KEY=VALUE.
    """
    options, words = separated(argv)
    return [*options, *(_readable(word, command) for word in words)]


def separated(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take options, with their values, and words apart: Hydra wants all words in one row."""
    following = iter(argv)
    options: list[str] = []
    words: list[str] = []
    for word in following:
        if not word.startswith("-"):
            words.append(word)
            continue
        options.append(word)
        if word in WITH_VALUE and (value := next(following, None)) is not None:
            options.append(value)
    return options, words


def options(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that have a value, with it."""
    for word, following in zip(argv, [*argv[1:], ""]):
        name, equals, value = word.partition("=")
        if name in WITH_VALUE:
            yield name, value if equals else following


def given(argv: Sequence[str], key: str) -> Any:
    """Return the value that a command line gives a setting, the last one, or the first of several to sweep over.

    None where it gives none.
    """
    texts = [word for word in argv if word.lstrip("+").startswith(f"{key}=")]
    override = parsed(texts[-1]) if texts else None
    if override is None:
        return None
    value: Any = override.value()
    value = value.list[0] if override.is_choice_sweep() else value
    return value.text if isinstance(value, QuotedString) else value


def written(key: str, text: str | Path) -> str:
    """Write an override that sets `key` to a text."""
    return f"{key}={QuotedString(str(text), Quote.single).with_quotes()}"


def parsed(word: str) -> Override | None:
    """Parse an override; None for what is none."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def _readable(word: str, command: str) -> str:
    key, equals, value = word.partition("=")
    plain = key.lstrip("+")
    if plain in LISTS and equals:
        listed = "," in value and not value.startswith(("[", "'", '"'))
        return f"{plain}=[{value}]" if listed else f"{plain}={value}"  # the setting is there: `+` would be refused
    if parsed(word) is not None:
        return word
    quoted = written(key, value)
    if not equals or parsed(quoted) is None:
        instead = {"eval": f"; avs eval checkpoint={word}?", "train": f"; avs train resume={word}?"}
        raise UserError(f"{word!r} is no KEY=VALUE{'' if equals else instead.get(command, '')}; see avs {command} -h")
    return quoted


def named_in(argv: Sequence[str]) -> list[str]:
    """Return what a command line names itself: KEY._target_=NAME, and the `_target_`s in its own directories."""
    names = [match[1] for word in argv if (match := re.fullmatch(r"[+\w.]*_target_=(.+)", word))]
    folders = [Path(value) for option, value in options(argv) if option in ("--config-dir", "-cd")]
    for file in (file for folder in folders for file in folder.rglob("*.yaml")):
        names += re.findall(r"_target_:\s*['\"]?([\w.]+)", file.read_text(errors="replace"))
    return [name.strip("'\"") for name in names]
