"""The cells of a report: runs that differ in their seed alone are one, and cells on the same clips stand together."""

from collections.abc import Sequence
from dataclasses import dataclass

from avs_lightning.reporting.report.results import RunResults

UNKNOWN = "not started"
START = "others start from these"


@dataclass(frozen=True)
class Cell:
    """A row of the report.

    Attributes:
        name: what people call it; no two cells have the same.
        parameters: its value on each axis.
        group: what it was tested on: scores compare within a group alone.
        parent: other cells start from it, and it is none of the study's own.
        runs: the places of its runs, one a seed.
    """

    name: str
    parameters: dict[str, str]
    group: str
    parent: bool
    runs: tuple[int, ...]


def cells_of(results: Sequence[RunResults]) -> list[Cell]:
    """Return the cells of runs, in their order, those that others only start from last."""
    groups = _groups(results)
    found: dict[tuple[str, ...], list[int]] = {}
    for index, (result, group) in enumerate(zip(results, groups)):
        run, parameters = result.run, [text for pair in result.run.parameters.items() for text in pair]
        key = (str(run.parent), group, run.cell, *parameters)
        while any(results[other].run.seed == run.seed for other in found.get(key, ())):
            key = (*key, "again")  # the same seed twice is no second seed
        found.setdefault(key, []).append(index)
    cells: list[Cell] = []
    for (_, group, name, *_), runs in sorted(found.items(), key=lambda item: item[0][0] == "True"):
        run = results[runs[0]].run
        taken = {cell.name for cell in cells}
        choices = (name, f"{name} ({group})", *(f"{name} ({run.folder.name}, {n})" for n in range(1, len(results) + 1)))
        name = next(choice for choice in choices if choice not in taken)
        cells.append(Cell(name, {} if run.parent else run.parameters, group, run.parent, tuple(runs)))
    return cells


def _groups(results: Sequence[RunResults]) -> list[str]:
    """Say of each run what it was tested on; a run that is not done is taken for one on the set of that name."""
    known = {(result.data, result.fingerprint) for result in results if result.fingerprint}
    texts = []
    for result in results:
        alike = sorted(fingerprint for data, fingerprint in known if data == result.data)
        which = f" {result.fingerprint[:6]}".rstrip() if len(alike) > 1 else ""
        drawn = ", drawn clips" if any(other.synthetic for other in results if other.data == result.data) else ""
        name = result.data or (next(iter(known))[0] if len(known) == 1 else UNKNOWN)
        texts.append(f"{name}{which}{drawn}" + (f", {START}" if result.run.parent else ""))
    return texts
