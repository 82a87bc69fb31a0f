"""Where people read: one rich console, on which only the first process of a run speaks."""

import io
import logging
import os
import sys
from collections.abc import Mapping

from rich.console import Console, RenderableType

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


# Texts are printed as they are: a path may hold brackets, which rich would take for a style, or :words: for a picture.
console = Console(quiet=not is_first_process(), markup=False, emoji=False)


def say(content: RenderableType) -> None:
    """Print what a run has to say about itself, and keep it in run.log.

    Args:
        content: a table, or a line of text, in which square brackets are brackets and which is not folded.
    """
    if not is_first_process():
        return
    line = isinstance(content, str)
    options = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": line}
    console.print(content, **options)  # type: ignore[arg-type]
    plain = Console(file=io.StringIO(), width=100, color_system=None, legacy_windows=False)
    plain.print(content, **options)  # type: ignore[arg-type]
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
