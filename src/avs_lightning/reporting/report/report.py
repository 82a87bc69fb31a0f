"""What a report is asked to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportRun:
    """One cell (and seed) of a study, or a run by itself.

    Attributes:
        name: what people call it, e.g. "ms3 resnet50 stages1234".
        parameters: its value on each axis of the study, in order; empty for a run by itself.
        seed: the seed.
        state: "done", "running", "new", "failed" or "blocked".
        folder: the run's folder; it need not exist.
        note: a few words, e.g. why it failed.
    """

    name: str
    parameters: dict[str, str]
    seed: int
    state: str
    folder: Path
    note: str = ""


@dataclass(frozen=True)
class Report:
    """A study or a run, to be written as a page.

    Attributes:
        title: the heading.
        question: what the study asks, in Markdown.
        facts: protocol, data set and fingerprint, code version, machine, dates, by their names.
        runs: the cells, in the study's order.
        table_html: the study's own table, a ready `<table>` whose texts are escaped; None for none.
        notes: orderings that held or did not, warnings.
        protocol: whose scores lead: "reference", "frame" or "dataset".
    """

    title: str
    question: str
    facts: dict[str, str]
    runs: list[ReportRun]
    table_html: str | None = None
    notes: Sequence[str] = ()
    protocol: str = "reference"
