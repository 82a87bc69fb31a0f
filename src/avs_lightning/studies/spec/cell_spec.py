"""What a study or a sweep asks of a cell, before it is composed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CellSpec:
    """A cell to be.

    Attributes:
        name: as tables and dashboards show it.
        parameters: the axes' values, or in a sweep the settings that differ between its cells.
        overrides: that make its configuration, the strongest last.
    """

    name: str
    parameters: Mapping[str, str]
    overrides: Sequence[str]
