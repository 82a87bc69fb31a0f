"""`avs study run|status|table|list`."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avs_lightning.cli.groups import CONFIG_MODULE, groups
from avs_lightning.cli.settings import SETTINGS
from avs_lightning.cli.study_help import study_help
from avs_lightning.errors import UserError, near_matches

if TYPE_CHECKING:
    from avs_lightning.studies.spec.study import Study

HELP = ("-h", "--help")
FORMATS = ("md", "csv", "latex")
NOT_FOR_ALL = {
    "seed": "seeds=0,1,2 names those of the study",
    "name": "each is named after what it trains",
    "study": "the study has its name",
    "resume": "the same command goes on with what was cut off",
    "paths.output_dir": "each has its own folder; paths.runs_dir=FOLDER chooses where they all go",
}
"""Overrides that would be ignored or would make all cells one, and what to give instead."""


def main(argv: list[str]) -> int:
    """Run, follow and tabulate studies."""
    actions = {"run": run, "status": status, "table": table, "list": list_studies}
    if not argv or argv[0] in HELP:
        print(study_help())
        return 0 if argv else 2
    if argv[0] not in actions:
        raise UserError(
            f"there is no avs study {argv[0]}{near_matches(argv[0], actions)}; there are {', '.join(actions)}"
        )
    if any(text in HELP for text in argv[1:]):
        names = [text for text in argv[1:] if argv[0] == "run" and "=" not in text and not text.startswith("-")]
        print(study_help(argv[0], *names[:1]))
        return 0
    return actions[argv[0]](argv[1:])


def run(argv: list[str]) -> int:
    """Run what is not done of a study, then print its table and write table and report.

    Raises:
        UserError: a wrong argument, or cells that failed.
    """
    dry_run = "--dry-run" in argv
    name, arguments = named([text for text in argv if text != "--dry-run"], "run")
    from hydra import initialize_config_module

    from avs_lightning.cli.hydra_app import explained, set_up_hydra
    from avs_lightning.cli.overrides import readable
    from avs_lightning.cli.sweep import compose, refuse_several_drivers
    from avs_lightning.studies.session import Session

    study, overrides = chosen_study(name, readable(arguments, "study run"))
    refuse_several_drivers()
    specs = list(study.cells([*overrides, *(["dry_run=true"] if dry_run else [])]))
    set_up_hydra([text for spec in specs for text in spec.overrides])
    try:
        with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
            session = Session.compose(specs, lambda given: compose("train", given), study=study, overrides=arguments)
    except Exception as error:
        raise explained(error, "train") from error
    session.conclude(session.run())
    return 0


def status(argv: list[str]) -> int:
    """Print how far each cell of a study is."""
    name, arguments = named(argv, "status")
    from avs_lightning.reporting.console import Prose, console
    from avs_lightning.studies.status import status_of

    table, lines = status_of(study_folder(name, arguments))
    console.print(table)
    console.print(*map(Prose, lines))
    return 0


def table(argv: list[str]) -> int:
    """Print a study's table, or write it to a file."""
    parser = argparse.ArgumentParser(prog="avs study table", add_help=False, allow_abbrev=False)
    parser.add_argument("--format")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--score")
    parser.add_argument("--protocol")
    options, rest = parser.parse_known_args(argv)
    if options.format and options.format not in FORMATS:
        raise UserError(f"--format {options.format} is unknown; it is one of {', '.join(FORMATS)}")
    name, arguments = named(rest, "table")
    from avs_lightning.reporting.console import console
    from avs_lightning.studies.status import study_table, written

    made = study_table(study_folder(name, arguments), listed(options.score) if options.score else (), options.protocol)
    if options.output:
        kind = options.format or {".csv": "csv", ".tex": "latex"}.get(options.output.suffix, "md")
        console.print(f"The table is in {written(options.output, made, kind)}", soft_wrap=True)
    elif options.format:
        print({"md": made.to_markdown, "csv": made.to_csv, "latex": made.to_latex}[options.format]().rstrip("\n"))
    else:
        console.print(made.to_rich())
    return 0


def list_studies(argv: list[str]) -> int:
    """Print the studies that there are, and what each asks; one that cannot be read says so."""
    if argv:
        raise UserError(f"avs study list takes nothing more, and {argv[0]!r} was given")
    from rich.table import Table
    from rich.text import Text

    from avs_lightning.reporting.console import console
    from avs_lightning.studies.spec.study import read_study, study_files

    shown = Table(title="Studies", title_style="bold", header_style="bold")
    for column in ("name", "asks", "cells x seeds", "data"):
        shown.add_column(column, overflow="fold")
    for name, path in study_files().items():
        try:
            study = read_study(str(path))
        except UserError as error:
            shown.add_row(name, Text(str(error), style="red"), "", "")
            continue
        cells = f"{len(list(study.cells())) // len(study.seeds)} x {len(study.seeds)}"
        shown.add_row(name, " ".join(study.question.split("\n\n")[0].split()), cells, ", ".join(study.variants))
    console.print(shown)
    return 0


def named(argv: Sequence[str], action: str) -> tuple[str, list[str]]:
    """Split a command line into the study's name and what follows.

    Raises:
        UserError: there is no name, or an option that does not exist.
    """
    options = [text for text in argv if text.startswith("-")]
    if options:
        raise UserError(f"avs study {action} has no option {options[0]}; see avs study {action} --help")
    if not argv or "=" in argv[0]:
        raise UserError(f"which study? avs study {action} NAME; avs study list names them")
    stray = [text for text in argv[1:] if "=" not in text and not text.startswith("~")]
    if stray:
        raise UserError(f"{stray[0]!r} is no KEY=VALUE; see avs study {action} --help")
    return argv[0], list(argv[1:])


def chosen_study(name: str, arguments: Sequence[str]) -> tuple[Study, list[str]]:
    """Read a study and apply `data=VARIANT`, `AXIS=VALUE,...` and `seeds=...`.

    Returns:
        The study, and the overrides that are left for every cell.

    Raises:
        UserError: no such study, variant, value or seed.
    """
    from avs_lightning.studies.spec.study import narrowed, read_study

    given = dict(text.partition("=")[::2] for text in arguments)
    for key, instead in NOT_FOR_ALL.items():
        if key in given:
            raise UserError(f"{key}={given[key]} cannot hold for every cell of a study: {instead}")
    study = read_study(name, given.get("data"))
    axes = {axis: listed(given[axis]) for axis in study.axes if axis in given}
    seeds = None
    if "seeds" in given:
        texts = listed(given["seeds"])
        if not all(text.isdigit() for text in texts):
            raise UserError(f"seeds={given['seeds']}: expected whole numbers, as seeds=0,1,2")
        seeds = list(dict.fromkeys(map(int, texts)))
    own = {"data", "seeds", *axes}
    nodes = {setting.partition(".")[0] for setting in SETTINGS} | groups().keys()
    for key in (key for key in given if re.fullmatch(r"\w+", key) and key not in own | nodes):
        near = near_matches(key, [*study.axes, "seeds", *nodes])
        raise UserError(
            f"there is no axis or setting {key!r}: the axes of {name} are {', '.join(study.axes)}, and seeds{near}"
        )
    return narrowed(study, axes, seeds), [text for text in arguments if text.partition("=")[0] not in own]


def listed(text: str) -> list[str]:
    """Return the values in `a,b` or `[a, b]`."""
    return [value.strip() for value in text.strip("[]").split(",")]


def study_folder(name: str, arguments: Sequence[str]) -> Path:
    """Find the folder of a study or sweep that was run: by its name, the path of its file, or its own path.

    Raises:
        UserError: it was never run here.
    """
    from avs_lightning.studies.cells.plan import PLAN, STUDIES
    from avs_lightning.studies.spec.study import study_files, study_name

    given = dict(text.partition("=")[::2] for text in arguments)
    unknown = [key for key in given if key not in ("data", "paths.runs_dir")]
    if unknown:
        raise UserError(f"{unknown[0]}=... means nothing here; data=VARIANT and paths.runs_dir=FOLDER do")
    if (Path(name) / PLAN).is_file():
        return Path(name).resolve()
    runs = runs_folder(given.get("paths.runs_dir")).resolve()
    there = sorted(path.parent.name for path in (runs / STUDIES).glob(f"*/{PLAN}"))
    short = study_name(Path(name)) if name.endswith((".yaml", ".yml")) else Path(name).name
    data = given.get("data")
    found = [short if data in (None, "real") else f"{short}-{data}"]
    if found[0] not in there and data is None:
        found = [folder for folder in there if folder.startswith(f"{short}-") or folder.endswith(f"-{short}")]
    found = [folder for folder in found if folder in there]
    if len(found) == 1:
        return runs / STUDIES / found[0]
    if found:
        raise UserError(f"several in {runs} begin with {short}: {', '.join(found)}; name one, or give data=...")
    known = study_files()
    again = f"; avs study run {name} runs it" if short in known else near_matches(short, [*there, *known])
    wanted = f" with data={data}" if data else ""
    raise UserError(f"no study {short!r} was run{wanted} in {runs}{again}; there are {', '.join(there) or 'none'}")


def runs_folder(given: str | None = None) -> Path:
    """Return the folder of all runs: what was given as `paths.runs_dir`, else its default."""
    return Path(given or os.environ.get("AVS_RUNS_DIR", "runs")).expanduser()
