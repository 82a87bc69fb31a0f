"""Pages of `--help`: how they are laid out, and those of `avs train` and `avs eval`."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Mapping

from avs_lightning.cli.groups import command_file, groups_of


def command_help(command: str) -> str:
    """Return the help of a command, in the width of the terminal."""
    content, width, own = command_file(command), terminal_width(), groups_of(command)
    lines = [*content["hydra"]["help"]["header"].splitlines(), "", "Groups, chosen by GROUP=OPTION:", ""]
    foot = (
        f"avs options GROUP says what they mean and what can be set, SETTING=VALUE. avs {command} --cfg job [...] "
        f"prints the configuration, avs {command} -m KEY=A,B runs every combination, "
        "--hydra-help says what else Hydra takes."
    )
    groups = defined({group: ", ".join(options) for group, options in own.items()}, width)
    return "\n".join([*(wrapped(line, width, 4) for line in lines), *groups, "", wrapped(foot, width)])


def terminal_width() -> int:
    """Return the columns that a page has."""
    return max(40, shutil.get_terminal_size().columns - 1)


def defined(meanings: Mapping[str, str], width: int) -> list[str]:
    """Lay out words and what they mean in two columns; lines are broken between words alone."""
    column = max(map(len, meanings))
    return [wrapped(f"  {word:<{column}}  {meaning}", width, column + 4) for word, meaning in meanings.items()]


def wrapped(line: str, width: int, indent: int = 0) -> str:
    """Break a line between words, `[a b]` counts as one; what is indented goes on at `indent`."""
    line = re.sub(r"\[[^]]*\]", lambda option: option[0].replace(" ", "\N{NO-BREAK SPACE}"), line)
    hanging = " " * (indent if line.startswith("  ") else 0)
    lines = textwrap.fill(line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\N{NO-BREAK SPACE}", " ")


class WithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Says the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        plain = action.default is None or action.default is False
        return action.help if plain else super()._get_help_string(action)
