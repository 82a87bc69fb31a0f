"""What a report is asked to show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportRun:
    """One seed of one cell of a study, or a run by itself.

    Attributes:
        name: what people call its cell, e.g. "ms3 resnet50 stages1234"; runs of the same name and parameters are one.
        parameters: its value on each axis of the study, in order; empty for a run by itself.
        seed: the seed.
        state: "done", "running", "new", "failed" or "blocked".
        folder: the run's folder; it need not exist.
        note: a few words, e.g. why it failed.
        parent: other cells start from it, and it is none of the study's own.
    """

    name: str
    parameters: dict[str, str]
    seed: int
    state: str
    folder: Path
    note: str = ""
    parent: bool = False

    @property
    def cell(self) -> str:
        """The name less the seed: "unet, seed 0", "unet seed 0" and "unet seed=0" are of "unet"."""
        return re.sub(rf"(^|,? )seed[ =]{self.seed}(?!\S)", "", self.name).strip() or self.name


@dataclass(frozen=True)
class Report:
    """Studies or runs, to be written as a page.

    Attributes:
        title: the heading.
        question: what the study asks, in Markdown.
        facts: data set and fingerprint, code version, machine, dates, by their names.
        runs: the runs, in the study's order.
        tables: the studies' own tables, ready HTML whose texts are escaped.
        notes: warnings.
        score: which score leads: "miou", "fscore" or "false_positive_rate".
        protocol: whose scores lead: "reference", "frame" or "dataset".
    """

    title: str
    question: str
    facts: dict[str, str]
    runs: list[ReportRun]
    tables: Sequence[str] = ()
    notes: Sequence[str] = ()
    score: str = "miou"
    protocol: str = "reference"
