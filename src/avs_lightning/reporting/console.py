"""Where people read: one rich console for everything that is printed."""

import os

from rich.console import Console


def _make() -> Console:
    quiet = int(os.environ.get("LOCAL_RANK", "0")) > 0  # the other processes of a run repeat what the first one says
    return Console(quiet=quiet)


console = _make()
