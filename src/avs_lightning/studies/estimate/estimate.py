"""What a study will take, in time and on the disk: from cells that have ended, else measured here and now."""

from __future__ import annotations

import heapq
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table

from avs_lightning.errors import UserError
from avs_lightning.machine import available_cores
from avs_lightning.reporting.console import Prose, spoken
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.data import build_data
from avs_lightning.studies.estimate.disk import free_bytes, spoken_bytes
from avs_lightning.studies.estimate.pace import Pace, ended_paces, extent_of, measured_pace, network_of
from avs_lightning.studies.estimate.step_times import BUSY, present_slowdown
from avs_lightning.studies.estimate.trial import Trial, run_trial
from avs_lightning.studies.estimate.workload import Workload, split_sizes
from avs_lightning.studies.execution.scheduler import states_of

PARTS = ("start", "training", "validation", "test")


@dataclass(frozen=True)
class Estimate:
    """What the cells that are left will take.

    Attributes:
        cells: those that are left, parents first.
        paces: by network, each with how many ended cells it comes from; 0 where it was measured now.
        parts: seconds of the parts of each cell, by its signature.
        drawing: seconds until the synthetic clips are drawn that are not there yet.
        seconds: until the last cell ends.
        slots: how many cells run at a time.
        bytes: that the cells, and the clips to be drawn, will take on the disk.
        free: bytes there.
        remarks: what else was found.
    """

    cells: Sequence[Cell]
    paces: Mapping[tuple[str, ...], tuple[Pace, int]]
    parts: Mapping[str, Mapping[str, float]]
    drawing: float
    seconds: float
    slots: int
    bytes: float
    free: int
    remarks: Sequence[str] = ()

    def __rich__(self) -> Group:
        """For the terminal, in 80 columns."""
        table = Table(title="Estimate of time", title_style="bold", header_style="bold")
        for column in ("network", "cells", *PARTS, "a cell"):
            table.add_column(column, justify="left" if column == "network" else "right")
        for network in self.paces:
            cells = [self.parts[cell.signature] for cell in self.cells if network_of(cell.config) == network]
            medians = [statistics.median(parts[name] for parts in cells) for name in PARTS]
            whole = statistics.median(sum(parts.values()) for parts in cells)
            table.add_row(" ".join(network), str(len(cells)), *map(spoken, medians), spoken(whole))
        table.add_section()
        table.add_row("all", str(len(self.cells)), *[""] * len(PARTS), spoken(self.seconds), style="bold")
        return Group(table, *map(Prose, self.notes()))

    def notes(self) -> Iterator[str]:
        """Yield what stands below."""
        at_a_time = f"{self.slots} cells at a time" if self.slots > 1 else "one cell after another"
        drawing = f", drawing the clips first ({spoken(self.drawing)})" if self.drawing else ""
        yield f"Time: about {spoken(self.seconds)}, {at_a_time}{drawing}."
        known = sum(count for _, count in self.paces.values())
        if known:
            yield f"From {known} cell{'s'[: known != 1]} of such networks that ended on a machine like this one."
        if any(not count for _, count in self.paces.values()):
            yield "Measured now: training steps and evaluation of each network, and a trial of a cell on a few clips."
        if self.cells:
            yield f"Disk: about {spoken_bytes(self.bytes)}, and {spoken_bytes(self.free)} are free."
        if self.bytes > self.free:
            yield "Warning: the disk is too small for that; paths.runs_dir=FOLDER is where the cells go."
        yield from self.remarks


def estimate(cells: Sequence[Cell], slots: int) -> Estimate:
    """Estimate how long the cells that are left will take, and what they will leave on the disk.

    Args:
        cells: of the study, parents first.
        slots: how many run at a time.

    Raises:
        UserError: there is no data.
    """
    states = states_of(cells)
    left = [cell for cell in cells if states[cell.signature] != State.DONE and cell.command == "train"]
    networks: dict[tuple[str, ...], list[Cell]] = {}
    for cell in left:
        networks.setdefault(network_of(cell.config), []).append(cell)
    store = cells[0].folder.parent
    paces = ended_paces(store, set(networks))
    sets = undrawn(left)
    trial: Trial | None = None
    remarks = []
    with tempfile.TemporaryDirectory() as folder:
        if left and (sets or len(paces) < len(networks)):
            slowdown = present_slowdown()
            trial = run_trial(left[0], Path(folder))
            if slowdown > BUSY:
                remarks.append(
                    f"Times are those of an idle machine: other work now makes all take {slowdown:.1f} times as long."
                )
            if trial.failure:
                remarks.append(f"Warning: the trial of {left[0].name or 'a cell'} failed: {trial.failure}")
            for network, members in networks.items():
                if network not in paces:
                    paces[network] = measured_pace(largest(members), slots, trial, slowdown), 0
    parts = {cell.signature: paces[network_of(cell.config)][0].parts(Workload.of(cell)) for cell in left}
    whole = {cell.signature: time_left(cell, sum(parts[cell.signature].values())) for cell in left}
    clips = sum(sum(split_sizes(cell).values()) for cell in sets)
    drawing = clips * (trial.drawing or 0.0) / available_cores() if trial else 0.0
    size = sum(paces[network_of(cell.config)][0].size for cell in left) + clips * (trial.drawn_bytes if trial else 0)
    return Estimate(
        cells=left,
        paces={network: paces[network] for network in networks},
        parts=parts,
        drawing=drawing,
        seconds=drawing + makespan(left, whole, slots),
        slots=min(slots, max(1, len(left))),
        bytes=size,
        free=free_bytes(store),
        remarks=remarks,
    )


def largest(cells: Sequence[Cell]) -> Cell:
    """Return the cell with the most fusion stages."""
    return max(cells, key=lambda cell: extent_of(cell.config))


def undrawn(cells: Sequence[Cell]) -> list[Cell]:
    """Return a cell for each synthetic data set that is not there yet."""
    sets = {
        json.dumps(cell.config["data"], sort_keys=True): cell for cell in cells if "synthetic" in cell.config["data"]
    }
    missing = {}
    for cell in sets.values():
        data = dict(cell.config["data"])
        try:
            build_data(data).dataset("train")
        except UserError:
            missing[data["root"], data["name"]] = cell
    return list(missing.values())


def time_left(cell: Cell, seconds: float) -> float:
    """Return how many of its seconds a cell that was cut off still needs."""
    progress = Run(cell.folder).progress
    return seconds * (1 - progress.fraction) if progress else seconds


def makespan(cells: Sequence[Cell], seconds: Mapping[str, float], slots: int) -> float:
    """Return when the last of some cells ends, where so many run at a time and children wait for their parents.

    Args:
        cells: parents first.
        seconds: of each, by signature.
        slots: how many run at a time.
    """
    free, ends = [0.0] * max(1, slots), dict[str, float]()
    for cell in cells:
        begin = max(heapq.heappop(free), ends.get(cell.parent.signature, 0.0) if cell.parent else 0.0)
        ends[cell.signature] = begin + seconds[cell.signature]
        heapq.heappush(free, ends[cell.signature])
    return max(ends.values(), default=0.0)
