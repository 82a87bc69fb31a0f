"""The data sets of a study's cells, looked at before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hydra.utils import instantiate

from avs_lightning.data import AVSDataModule
from avs_lightning.data.fingerprint import dataset_fingerprint
from avs_lightning.errors import UserError
from avs_lightning.studies.cells import Cell
from avs_lightning.studies.plan import State, read_metrics, state_of

SHOWN = 8


def check_same_data(cells: Sequence[Cell]) -> None:
    """See that real data is there for the cells to be trained, and is what those that are done were trained on.

    A synthetic set is part of what a cell is known by; a real one is not, since it may lie anywhere.

    Raises:
        UserError: there is no data set where a cell needs one; or another one than before, told with the cells.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if "_target_" in cell.config.get("data", {}) and not is_synthetic(cell):
            groups.setdefault(json.dumps(cell.config["data"], sort_keys=True), []).append(cell)
    other: dict[str, list[str]] = {}
    for group in groups.values():
        data = data_of(group[0])
        try:
            data.check()
        except UserError:
            if all(state_of(cell.folder) == State.DONE for cell in group):
                continue  # results without their data: a table can be made of them
            raise
        known = [(cell, found) for cell in group if (found := (read_metrics(cell.folder) or {}).get("fingerprint"))]
        present = dataset_fingerprint(data) if known else ""
        for cell, fingerprint in known:
            if fingerprint != present:
                where = f"data.root={cell.config['data']['root']} (fingerprint {present})"
                line = f"  {cell.name}: fingerprint {fingerprint}, in {cell.folder}"
                other.setdefault(where, []).append(line)
    if other:
        lines = [line for found in other.values() for line in found]
        more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        raise UserError(
            f"{len(lines)} of {len(cells)} cells were trained on another data set than the one that is now at "
            f"{' and '.join(other)}:\n" + "\n".join([*lines[:SHOWN], *more]) + "\nResults on different clips are not "
            "mixed: name the former data set (data.root=FOLDER), or keep the results on the new one apart "
            "(paths.runs_dir=FOLDER), or delete these folders to have the cells trained anew"
        )


def data_of(cell: Cell) -> AVSDataModule:
    """Build the data module of a cell; nothing is read or written yet."""
    module: AVSDataModule = instantiate(dict(cell.config["data"]), _convert_="all")
    return module


def is_synthetic(cell: Cell) -> bool:
    """Say whether a cell's clips are drawn."""
    return "synthetic" in cell.config.get("data", {})
