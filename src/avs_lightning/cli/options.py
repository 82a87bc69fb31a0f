"""`avs options`: settings with their defaults and meanings, from the comments in the configuration files."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import yaml

from avs_lightning.cli.groups import CONFIG_MODULE, group_files
from avs_lightning.errors import UserError, near_matches

USAGE = """avs options: what can be set, and what it means

  avs options               groups, what can be chosen in each, and the settings of avs train and avs eval
  avs options GROUP         what can be chosen in a group, and its settings
  avs options SETTING       one setting, such as encoder.drop_path

A group is chosen by GROUP=OPTION, a setting by SETTING=VALUE: avs train encoder=pvt_v2_b5 encoder.frozen=true"""
COMMANDS = ("train", "eval")
LINE = re.compile(r"^(?P<indent> *)(?P<key>[\w.]+):(?: +(?P<value>[^#\s].*?))??(?: +# (?P<meaning>.*))?$")
UNSHOWN = ("_target_", "defaults", "hydra")


@dataclass(frozen=True)
class Setting:
    """A line of a configuration file: `key: default # meaning`."""

    key: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Option:
    """A configuration file: what `group=name` chooses; the group of a command is empty."""

    group: str
    name: str
    meaning: str
    settings: tuple[Setting, ...]


def main(argv: list[str]) -> int:
    """Print the groups, one group or one setting."""
    if any(text in ("-h", "--help") for text in argv):
        print(USAGE)
        return 0
    if len(argv) > 1:
        raise UserError(f"avs options takes one group or setting, and {' '.join(argv)!r} was given")
    options = read_options()
    print("\n".join(described(options, argv[0]) if argv else overview(options)))
    return 0


def read_options() -> list[Option]:
    """Read every configuration file of the package, the commands' first."""
    folder = files(CONFIG_MODULE)
    options = [_read("", folder / f"{command}.yaml", command) for command in COMMANDS]
    options += [_read(group, file, name) for group, named in group_files().items() for name, file in named.items()]
    return options


def meanings(options: list[Option]) -> dict[str, str]:
    """Return what each setting means; one that follows another says so itself."""
    found: dict[str, str] = {}
    for setting in (setting for option in options for setting in option.settings):
        follows = re.fullmatch(r"\$\{([\w.]+)\}", setting.default)
        meaning = setting.meaning or (f"as {follows[1]}" if follows else "")
        found[setting.key] = found.get(setting.key) or meaning
    return found


def overview(options: list[Option]) -> Iterator[str]:
    """Yield the groups with what can be chosen, then the settings of the commands themselves."""
    yield "Groups, chosen by GROUP=OPTION; avs options GROUP says more"
    names = dict.fromkeys(option.group for option in options if option.group)
    for group in names:
        chosen = ", ".join(option.name for option in options if option.group == group)
        more = ", or any timm backbone" if group == "encoder" else ""
        yield from _wrapped(f"{group:<{max(map(len, names))}}  {chosen}{more}", 2, 4 + max(map(len, names)))
    for command in (option for option in options if not option.group):
        yield f"\nSettings of avs {command.name}, chosen by SETTING=VALUE"
        yield from _settings([command], options)


def described(options: list[Option], asked: str) -> Iterator[str]:
    """Yield a group, or the settings at or below a dotted key.

    Raises:
        UserError: there is neither.
    """
    group = [option for option in options if option.group == asked]
    if group:
        for option in group:
            yield from _wrapped(f"{asked}={option.name}  {option.meaning}".rstrip(), 0, 4)
        yield ""
        yield from _settings(group, options)
        return
    below = [setting for option in options for setting in option.settings if f"{setting.key}.".startswith(f"{asked}.")]
    if not below:
        known = {option.group for option in options} | meanings(options).keys()
        near = near_matches(asked, known) or near_matches(asked.rpartition(".")[2], known)
        raise UserError(f"there is no group or setting {asked!r}{near}; avs options lists the groups")
    holders = [option for option in options if any(setting in below for setting in option.settings)]
    yield from _settings(holders, options, {setting.key for setting in below})


def _settings(shown: list[Option], options: list[Option], keys: set[str] | None = None) -> Iterator[str]:
    """Yield each setting once, with its default by option where these differ."""
    meant, here = meanings(options), meanings(shown)
    defaults: dict[str, dict[str, list[str]]] = {}
    for option in shown:
        for setting in option.settings:
            if keys is None or setting.key in keys:
                place = f"{option.group}={option.name}" if option.group else f"avs {option.name}"
                defaults.setdefault(setting.key, {}).setdefault(setting.default, []).append(place)
    for key, by_default in defaults.items():
        if len(by_default) == 1:
            text = next(iter(by_default))
        else:
            text = "; ".join(f"{default} ({', '.join(places)})" for default, places in by_default.items())
        yield from _wrapped(f"{key} = {text}", 2, 6)
        yield from _wrapped(here[key] or meant[key], 6, 6)


def _wrapped(text: str, first: int, rest: int) -> list[str]:
    width = max(40, shutil.get_terminal_size().columns)
    indents = {"initial_indent": first * " ", "subsequent_indent": rest * " "}
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, **indents)  # type: ignore[arg-type]


def _read(group: str, file: Any, name: str) -> Option:
    lines = file.read_text(encoding="utf-8").splitlines()
    head: list[str] = []
    while len(head) < len(lines) and lines[len(head)].startswith("# "):
        head.append(lines[len(head)].removeprefix("# "))
    prefix = [group] if group and "@package _global_" not in head else []
    path: list[tuple[int, str]] = []
    settings: list[Setting] = []
    nodes: set[str] = set()
    for match in filter(None, map(LINE.match, lines[len(head) :])):
        indent = len(match["indent"])
        path = [*(part for part in path if part[0] < indent), (indent, match["key"])]
        keys = [key for _, key in path]
        if any(key in UNSHOWN for key in keys):
            continue
        nodes.add(".".join([*prefix, *keys[:-1]]))
        settings.append(Setting(".".join([*prefix, *keys]), match["value"] or "", match["meaning"] or ""))
    own = {setting.key: setting for setting in settings if setting.key not in nodes}
    bases = [_read(group, group_files()[group][base], base) for base in _bases(group, lines)]
    inherited = {setting.key: setting for base in bases for setting in base.settings}
    for key in own.keys() & inherited.keys():
        own[key] = replace(own[key], meaning=own[key].meaning or inherited[key].meaning)
    leaves = tuple((inherited | own).values())
    return Option(group, name, " ".join(line for line in head if not line.startswith("@package")), leaves)


def _bases(group: str, lines: list[str]) -> list[str]:
    """Return the files of its own group that a file begins with."""
    defaults = (yaml.safe_load("\n".join(lines)) or {}).get("defaults", [])
    return [entry for entry in defaults if isinstance(entry, str) and entry in group_files().get(group, {})]
