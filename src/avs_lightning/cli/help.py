"""`avs train --help`, `avs eval --help`: what they do, and the groups that they have."""

from __future__ import annotations

import shutil
import textwrap

from avs_lightning.cli.groups import command_file, groups_of


def command_help(command: str) -> str:
    """Return the help of a command, in the width of the terminal."""
    content = command_file(command)
    width = max(40, shutil.get_terminal_size().columns - 1)
    lines = [*content["hydra"]["help"]["header"].splitlines(), "", "Groups, chosen by GROUP=OPTION:", ""]
    own = groups_of(command)
    column = max(map(len, own))
    lines += [f"  {group:<{column}}  {', '.join(options)}" for group, options in own.items()]
    lines += [
        "",
        f"avs options GROUP says what they mean and what can be set, SETTING=VALUE. avs {command} --cfg job [...] "
        f"prints the configuration, avs {command} -m KEY=A,B runs every combination, "
        "--hydra-help says what else Hydra takes.",
    ]
    return "\n".join(_wrapped(line, width, column + 4) for line in lines)


def _wrapped(line: str, width: int, indent: int) -> str:
    hanging = " " * (indent if line.startswith("  ") else 0)
    return textwrap.fill(
        line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
