"""What stands under a study's table: how to read it, what was claimed, where its numbers come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avs_lightning.metrics.names import PROTOCOLS, protocol_label
from avs_lightning.studies.tables.grid import Note

if TYPE_CHECKING:
    from avs_lightning.studies.tables.study_table import StudyTable

FACTS = {
    "data": "data set",
    "fingerprint": "fingerprint of the data",
    "code": "code version",
    "seeds": "seeds",
    "date": "date",
    "machine": "machine",
}


def notes(table: StudyTable) -> Iterator[Note]:
    """Yield what stands under a table."""
    yield from (Note("warning", text) for text in table.warnings)
    layout, planned = table.layout, {cell.planned for cell in table.cells}
    protocol = f"; protocol {protocol_label(layout.protocol)} ({PROTOCOLS[layout.protocol]})"
    seeds = "each cell one seed" if planned == {1} else "mean ± sample standard deviation over the seeds of a cell"
    if len(planned) == 1 and planned != {1}:
        seeds = f"mean ± sample standard deviation over {min(planned)} seeds"
    yield Note("note", f"{layout.title}{protocol if layout.has_protocol else ''}; {seeds}.")
    missing = [cell.state for cell in table.cells if not cell.n]
    if missing:
        counts = ", ".join(f"{missing.count(state)} {state}" for state in dict.fromkeys(missing))
        yield Note("note", f"{len(missing)} of {len(table.cells)} cells are missing: {counts}.")
    if table.compared:
        yield Note("note", f"paper: {table.source}; difference: ours less the paper's.")
    if table.synthetic:
        yield Note("note", "Synthetic clips: these numbers do not compare with published ones.")
    for ordering in table.orderings:
        whose = "The paper claims" if layout.published else "Asked"
        yield Note("claim", f"{whose}: {ordering.claim.text}. Here it {ordering.counts}.")
        yield from (Note("case", comparison.text(layout.leading)) for comparison in ordering.comparisons)
    for key in [*FACTS, *(key for key in table.facts if key not in FACTS)]:
        if table.facts.get(key):
            yield Note("fact", f"{FACTS.get(key, key)}: {table.facts[key]}")


def warnings(table: StudyTable) -> Iterator[str]:
    """Yield what speaks against comparing a table's numbers with each other or with the paper's."""
    prints: dict[str, set[str]] = {}
    for item in table.facts.get("fingerprint", "").split(";"):
        if words := item.split():
            prints.setdefault(" ".join(words[:-1]), set()).add(words[-1])
    for name, found in prints.items():
        if len(found) > 1:
            yield f"cells saw different data{f' ({name})' if name else ''}: {len(found)} fingerprints."
    codes = {item.partition(",")[0].strip() for item in table.facts.get("code", "").split(";")} - {""}
    if len(codes) > 1:
        yield f"cells come from {len(codes)} code versions."
    if table.source is None:
        return
    if table.layout.protocol != "reference":
        yield f"the paper's numbers follow the protocol {protocol_label('reference')}, ours {table.layout.protocol}."
    if not table.compared:
        yield f"no cell of this study has a published {table.layout.title.replace(' and ', ' or ')}."
