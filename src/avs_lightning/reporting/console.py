"""Where people read: one rich console, on which only the first process of a run speaks."""

from pytorch_lightning.utilities.rank_zero import rank_zero_only
from rich.console import Console


def is_first_process() -> bool:
    """Say whether this is the process of a run that writes and prints (rank 0, also before the group has formed)."""
    return getattr(rank_zero_only, "rank", 0) == 0


# Texts are printed as they are: a path may hold brackets, which rich would take for a style, or :words: for a picture.
console = Console(quiet=not is_first_process(), markup=False, emoji=False)
