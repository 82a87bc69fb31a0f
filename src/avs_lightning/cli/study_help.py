"""`avs study --help`, and a page for each of its actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from avs_lightning.cli.help import defined, terminal_width, wrapped
from avs_lightning.metrics.names import PROTOCOLS

ACTIONS = {
    "list": "the studies that there are, and what each asks",
    "run": "run what is not done of a study, then print its table",
    "status": "how far each cell of a study is",
    "table": "print a study's table, or write it to a file",
}
NAME = "one of avs study list, or the path of a study.yaml of your own"
FOUND = "a study or sweep that was run, by its name, the path of its study.yaml, or its own folder"
PLACE = {
    "data=VARIANT": "which, where it was run on several kinds of data",
    "paths.runs_dir=FOLDER": "the folder of all runs (default: $AVS_RUNS_DIR, else runs)",
}


@dataclass(frozen=True)
class Page:
    """What `--help` says of an action: its form, examples, and what each word means."""

    form: str
    examples: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


PAGES = {
    "list": Page("avs study list"),
    "run": Page(
        "avs study run NAME [data=VARIANT] [AXIS=VALUE,...] [seeds=0,1,2] [KEY=VALUE ...] [--dry-run]",
        (
            "avs study run table_a1 data=synthetic",
            "avs study run table_a2 data.root=data launcher=parallel",
            "avs study run table_a1 data.root=data setting=ms3 seeds=0,1,2 --dry-run",
        ),
        {
            "NAME": NAME,
            "data=VARIANT": "the study's data: real, or synthetic, drawn clips that are few enough for two cores",
            "AXIS=VALUE,...": "these values of an axis alone; avs study run NAME --help lists the study's axes",
            "seeds=0,1,2": "train each cell once with each",
            "KEY=VALUE": "a setting of every cell, as for avs train (avs options lists them): data.root=FOLDER, "
            "launcher=local, parallel or slurm, paths.runs_dir=FOLDER",
            "--dry-run": "say what would be run and what it would take, and run nothing",
        },
        "The same command goes on after any stop. Cells that are done, in this study or in another, are not run again.",
    ),
    "status": Page(
        "avs study status NAME [data=VARIANT] [paths.runs_dir=FOLDER]",
        ("avs study status table_a1", "avs study status runs/studies/table_a1-synthetic"),
        {"NAME": FOUND, **PLACE},
        "Also while it runs.",
    ),
    "table": Page(
        "avs study table NAME [data=VARIANT] [paths.runs_dir=FOLDER] [--score SCORE,...] [--protocol PROTOCOL] "
        "[--format md|csv|latex] [--output FILE]",
        (
            "avs study table table_a1",
            "avs study table table_a1 --score fscore",
            "avs study table table_a1 --output table_a1.tex",
        ),
        {
            "NAME": FOUND,
            **PLACE,
            "--score SCORE,...": "miou, fscore or fpr, or several of them (default: the study's)",
            "--protocol PROTOCOL": f"one of {', '.join(PROTOCOLS)} (default: the study's)",
            "--format md|csv|latex": "print it in this form",
            "--output FILE": "write it into a file, in the form of its ending (.md, .csv, .tex) or of --format",
        },
    ),
}


def study_help(action: str | None = None, name: str | None = None) -> str:
    """Return the page of an action, or of them all, in the width of the terminal.

    Args:
        action: one of `ACTIONS`.
        name: of a study, whose axes are to be listed.

    Raises:
        UserError: there is no such study.
    """
    width = terminal_width()
    if action is None:
        lines = ["avs study: run a study with a name, and set its table beside the paper's", ""]
        lines += defined({f"avs study {key}": meaning for key, meaning in ACTIONS.items()}, width)
        return "\n".join([*lines, "", wrapped("Each has its own page: avs study run --help.", width)])
    page = PAGES[action]
    lines = [wrapped(f"avs study {action}: {ACTIONS[action]}", width), "", wrapped(f"  {page.form}", width, 6)]
    lines += ["", *(f"  {example}" for example in page.examples)] if page.examples else []
    lines += ["", *defined(page.words, width)] if page.words else []
    lines += ["", wrapped(page.notes, width)] if page.notes else []
    return "\n".join([*lines, *(["", *_axes(name, width)] if name else [])])


def _axes(name: str, width: int) -> list[str]:
    """Say of a study what can be chosen."""
    from avs_lightning.studies.spec.study import read_study

    study = read_study(name)
    choices = {"data": study.variants, **study.axes, "seeds": map(str, study.seeds)}
    question = " ".join(study.question.split("\n\n")[0].split())
    head = f"{study.name}: {study.title}. {question}".rstrip()
    return [wrapped(head, width), "", *defined({key: ", ".join(values) for key, values in choices.items()}, width)]
