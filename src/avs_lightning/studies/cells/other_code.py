"""Cells that another version of the code has trained: results are never mixed without a word."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from avs_lightning.errors import UserError, choose, shortened
from avs_lightning.run import Run
from avs_lightning.sources import code_version
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.locks import lock_cell

OTHER_CODE = ("refuse", "keep", "retrain")


def present_code() -> str:
    """Return the hash of the code that computes results."""
    return str(code_version()["results"])


def settle_other_code(cells: Sequence[Cell], choice: str) -> list[Cell]:
    """Find the cells that another version of the code has trained, and do with them as chosen.

    Args:
        cells: of the study.
        choice: "refuse"; "keep", which takes finished results as they are; "retrain". What is trained anew is moved
            aside first: with "keep" it is what the other code has not finished, since no code computes all of it.

    Returns:
        The cells whose results are another code's and are kept.

    Raises:
        UserError: there are some and the choice is "refuse"; the choice is unknown; a cell to be moved is running.
    """
    choose(choice, OTHER_CODE, "launcher.other_code")
    foreign = {cell: code for cell in cells if (code := Run(cell.folder).code) not in (None, present_code())}
    if foreign and choice == "refuse":
        lines = [f"{cell.label}: code {code}, in {cell.folder}" for cell, code in foreign.items()]
        raise UserError(
            f"{len(foreign)} of {len(cells)} cells were trained by another version of the code than this one "
            f"({present_code()}):\n  "
            + "\n  ".join(shortened(lines))
            + "\nTheir results are not mixed silently with new ones: "
            "launcher.other_code=keep takes finished ones as they are (the table names both versions), "
            "launcher.other_code=retrain trains them anew and keeps the old folders beside"
        )
    kept = [cell for cell in foreign if choice == "keep" and Run(cell.folder).is_done]
    for cell, code in foreign.items():
        if cell not in kept:
            _set_aside(cell.folder, str(code))
    return kept


def _set_aside(folder: Path, code: str) -> None:
    taken = lock_cell(folder)
    if taken is None:
        raise UserError(
            f"{folder} was begun by another version of the code and is running in another command: wait or stop it"
        )
    try:
        endings = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        targets = (folder.with_name(f"{folder.name}.code-{code}{ending}") for ending in endings)
        folder.rename(next(target for target in targets if not target.exists()))
    finally:
        taken.release()
