"""The data sets of a study's cells, looked at before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from avs_lightning.data.fingerprint import dataset_fingerprint
from avs_lightning.errors import UserError, shortened
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.targets import build
from avs_lightning.training.signature import clip_settings

if TYPE_CHECKING:
    from avs_lightning.data import ClipDataModule


def check_same_data(cells: Sequence[Cell]) -> None:
    """See that there is data for the cells to be trained, and that those that are done were trained on it.

    A set that is drawn on first use is part of what a cell is known by; another is not, since it may lie anywhere.

    Raises:
        UserError: there is data for none of the cells that are left (where some have theirs, only the others fail); or
            it is another set than before, told with the cells.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if "_target_" in cell.config.get("data", {}) and not draws_its_clips(cell):
            groups.setdefault(_clips_of(cell.config["data"]), []).append(cell)
    other: dict[str, list[str]] = {}
    missing: dict[str, UserError] = {}
    for group in groups.values():
        data = data_of(group[0])
        try:
            data.check()
        except UserError as error:
            missing |= {cell.signature: error for cell in group}
            continue
        known = [(cell, found) for cell in group if (found := Run(cell.folder).results.fingerprint)]
        present = dataset_fingerprint(data) if known else ""
        for cell, fingerprint in known:
            if fingerprint != present:
                where = f"data.root={cell.config['data']['root']} (fingerprint {present})"
                line = f"{cell.name}: fingerprint {fingerprint}, in {cell.folder}"
                other.setdefault(where, []).append(line)
    left = [cell for cell in cells if Run(cell.folder).state != State.DONE]
    if left and all(cell.signature in missing for cell in left):
        raise missing[left[0].signature]
    if other:
        lines = [line for found in other.values() for line in found]
        raise UserError(
            f"{len(lines)} of {len(cells)} cells were trained on another data set than the one that is now at "
            f"{' and '.join(other)}:\n  " + "\n  ".join(shortened(lines)) + "\nResults on different clips are not "
            "mixed: name the former data set (data.root=FOLDER), or keep the results on the new one apart "
            "(paths.runs_dir=FOLDER), or delete these folders to have the cells trained anew"
        )


def _clips_of(data: Mapping[str, Any]) -> str:
    """Return what names the clips that data settings mean, so that cells on the same ones look at them once."""
    return json.dumps({**clip_settings(data), "root": data.get("root")}, sort_keys=True)


def data_of(cell: Cell) -> ClipDataModule:
    """Build the data module of a cell; nothing is read or written yet."""
    return build_data(cell.config["data"])


def build_data(settings: Mapping[str, Any]) -> ClipDataModule:
    """Build the data module of the settings `data`.

    Raises:
        UserError: they name none, or it refuses its arguments.
    """
    from avs_lightning.data import ClipDataModule

    return build(settings, "data", ClipDataModule)  # type: ignore[type-abstract]


def draws_its_clips(cell: Cell) -> bool:
    """Say whether a cell's settings say how its clips are drawn, which happens on first use."""
    return "synthetic" in cell.config.get("data", {})


def is_synthetic(cell: Cell) -> bool:
    """Say whether a cell's clips are drawn, or will be."""
    return draws_its_clips(cell) or ("_target_" in cell.config.get("data", {}) and data_of(cell).synthetic)
