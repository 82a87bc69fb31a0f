"""The page: everything of a report in one HTML file that needs nothing else."""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from avs_lightning.data.sound_names import SOUNDS
from avs_lightning.errors import UserError
from avs_lightning.files import write_whole
from avs_lightning.metrics.names import CLASS_PROTOCOLS, PROTOCOLS, SCORES
from avs_lightning.reporting.report.cells import Cell, cells_of
from avs_lightning.reporting.report.clips import clip_gallery
from avs_lightning.reporting.report.config_diff import config_differences, flatten
from avs_lightning.reporting.report.report import Report
from avs_lightning.reporting.report.results import RunResults, read_results
from avs_lightning.reporting.verdict import POINTS
from avs_lightning.run.names import CLIP_INDEX, CLIP_SCORES, CONFIG, ENVIRONMENT, HISTORY, LOG, METRICS

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("page.js", "scores.js", "filters.js", "table.js", "charts.js", "clips.js", "runs.js")
FILES = (CONFIG, ENVIRONMENT, HISTORY, METRICS, CLIP_SCORES, CLIP_INDEX, LOG)


def write_report(report: Report, path: Path) -> Path:
    """Write a report as one self-contained HTML file: whole, or not at all.

    Files of run folders that are missing or damaged are named in the page.

    Returns:
        `path`.

    Raises:
        UserError: the file cannot be written.
    """
    html = render(report, path.parent)
    try:
        write_whole(path, html)
    except OSError as error:
        raise UserError(
            f"the report {path} cannot be written: {error.strerror or error}; the runs are untouched, "
            "so make room or choose another place and give the command again"
        ) from error
    return path


def render(report: Report, place: Path) -> str:
    """Return the page of a report, whose links lead from the folder `place`."""
    results = read_results(report.runs)
    cells = cells_of(results)
    gallery = clip_gallery(results, cells, SCORES[report.score].column(report.protocol))
    several = any(result.classes for result in results)
    protocols = CLASS_PROTOCOLS if several else PROTOCOLS
    data = {
        "scores": {name: asdict(score) for name, score in SCORES.items()},
        "protocols": protocols,
        "sounds": SOUNDS,
        "loss": POINTS,
        "score": report.score,
        "protocol": report.protocol,
        "grouping": "class" if several else "category",
        "axes": list(dict.fromkeys(axis for cell in cells for axis in cell.parameters)),
        "cells": [_plain_cell(cell) for cell in cells],
        "runs": [_plain_run(result, place) for result in results],
        "clips": gallery.clips,
        "media": gallery.media,
    }
    scripts = [get_plotlyjs(), "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment.get_template("report.html.j2").render(
        report=report,
        protocols=protocols,
        sounds={sound: name for sound, name in SOUNDS.items() if any(sound in result.scores for result in results)},
        scores=SCORES,
        question=_markdown(report.question),
        drawn=[result.synthetic for result in results],
        tables=[Markup(table) for table in report.tables],
        results=results,
        cells=cells,
        gallery=gallery,
        differences=config_differences([results[cell.runs[0]].settings for cell in cells]),
        settings=flatten(results[0].settings) if len(results) == 1 else {},
        damaged=[(result.label, line) for result in results for line in dict.fromkeys(result.files.damaged)],
        missing=_missing(results),
        data=data,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        allowed=[_digest(script) for script in scripts],
    )


def _plain_cell(cell: Cell) -> dict[str, Any]:
    return {"name": cell.name, "parameters": cell.parameters, "group": cell.group, "parent": cell.parent,
            "runs": cell.runs}  # fmt: skip


def _plain_run(result: RunResults, place: Path) -> dict[str, Any]:
    run = result.run
    plain = {
        name: getattr(result, name)
        for name in ("label", "data", "fingerprint", "synthetic", "scores", "cost", "curves", "command", "started",
                     "log", "fraction")
    }  # fmt: skip
    folder = run.folder.absolute()
    link = quote(Path(os.path.relpath(folder, place.absolute())).as_posix())
    return {
        **plain, "categories": result.categories(), "seed": run.seed, "state": run.state, "note": run.note,
        "folder": str(folder), "link": link,
    }  # fmt: skip


def _missing(results: Sequence[RunResults]) -> dict[str, list[str]]:
    """The finished runs that lack a file, by the file."""
    done = [result for result in results if result.run.state == "done"]
    found: dict[str, list[str]] = {}
    for result in done:
        names = (name if name in FILES else "files in clips/" for name in result.files.missing)
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(result.label)
    return found


def _markdown(text: str) -> Markup:
    # Without raw HTML, and without pictures, which a page on its own could not load.
    return Markup(MarkdownIt("commonmark", {"html": False}).disable("image").render(text))


def _digest(script: str) -> str:
    """What the page's security policy knows a script by: no other script runs in it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
