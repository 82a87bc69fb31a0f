"""Where people read: one rich console, on which only the first process of a run speaks."""

import io
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

log = logging.getLogger(__name__)

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables that hold a process's rank, in Lightning's order (`lightning_fabric.utilities.rank_zero`)."""


def is_first_process() -> bool:
    """Say whether this is the process of a run that writes and prints (rank 0, also before the group has formed).

    What Lightning knows counts, but it is not imported for this: that takes seconds.
    """
    lightning = sys.modules.get("lightning_utilities.core.rank_zero")
    rank = getattr(getattr(lightning, "rank_zero_only", None), "rank", None)
    return (rank_in(os.environ) if rank is None else rank) == 0


def rank_in(environment: Mapping[str, str]) -> int:
    """Return the rank that whatever has started the present process has given it, 0 if none."""
    return next((int(environment[name]) for name in RANKS if name in environment), 0)


class Screen(Console):
    """A console on which a word longer than a line goes on in the next one, as terminals do it, instead of being cut.

    Texts are printed as they are: a path may hold brackets, which rich would take for a style, or :words: for pictures.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **options})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        super().print(*objects, **{"crop": False, **options})


@dataclass(frozen=True)
class Prose:
    """Text whose lines are broken between words alone: a path or a hash stays whole, and can be copied."""

    text: str
    style: str = ""
    indent: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = " " * self.indent
        wrapped = TextWrapper(options.max_width, indent, indent, break_long_words=False, break_on_hyphens=False)
        lines = "\n".join(map(wrapped.fill, self.text.splitlines()))
        yield Text(lines, self.style, overflow="ignore")


console = Screen(quiet=not is_first_process())


def say(content: RenderableType) -> None:
    """Print what a run has to say about itself, and keep it in run.log.

    Args:
        content: a table, or a line of text, in which square brackets are brackets and which is not folded.
    """
    if not is_first_process():
        return
    line = isinstance(content, str)
    console.print(content, highlight=False, soft_wrap=line)
    plain = Screen(file=io.StringIO(), width=100, color_system=None, legacy_windows=False)
    plain.print(content, highlight=False, soft_wrap=line)
    assert isinstance(plain.file, io.StringIO)
    text = plain.file.getvalue().rstrip()
    log.info("%s", text if line else f"\n{text}")


def spoken(seconds: float) -> str:
    """Return a duration as people say it: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
