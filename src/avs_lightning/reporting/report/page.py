"""The page: everything of a report in one HTML file that needs nothing else."""

import base64
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from avs_lightning.errors import UserError
from avs_lightning.reporting.report.charts import charts
from avs_lightning.reporting.report.clips import clip_gallery
from avs_lightning.reporting.report.config_diff import config_differences, flatten
from avs_lightning.reporting.report.report import Report
from avs_lightning.reporting.report.results import RunResults, read_results
from avs_lightning.reporting.report.table import columns, groups, summary

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("report.js", "filters.js", "charts.js", "clips.js")
FILES = ("config.yaml", "environment.json", "metrics.csv", "metrics.json", "clips.csv", "clips/index.json")
PROTOCOLS = {
    "reference": "mean over batches of 4 clips, as the released scripts",
    "frame": "exact mean over frames",
    "dataset": "all pixels at once",
}


def write_report(report: Report, path: Path) -> Path:
    """Write a report as one self-contained HTML file: whole, or not at all.

    Files of run folders that are missing or damaged are named in the page.

    Returns:
        `path`.

    Raises:
        UserError: the file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    html = render(report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(html, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"the report {path} cannot be written: {error.strerror or error}; the runs are untouched, "
            "so make room or choose another place and give the command again"
        ) from error
    finally:
        _remove(part)
    return path


def render(report: Report) -> str:
    """Return the page of a report."""
    results = read_results(report.runs)
    drawn = charts(results, report.protocol)
    gallery = clip_gallery(results, report.protocol)
    table = columns(results, report.protocol)
    axes = list(dict.fromkeys(axis for result in results for axis in result.run.parameters))
    data = {
        "runs": [_plain(result) for result in results],
        "axes": axes,
        "charts": [chart.plain() for chart in drawn],
        "clips": gallery.cells,
        "media": gallery.media,
    }
    scripts = [get_plotlyjs(), "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    return environment.get_template("report.html.j2").render(
        report=report,
        protocol=PROTOCOLS.get(report.protocol, ""),
        question=_markdown(report.question),
        table=Markup(report.table_html or ""),
        results=results,
        columns=table,
        groups=groups(table),
        tiles=summary(results, report.protocol),
        choices=_choices(results, axes),
        charts=drawn,
        gallery=gallery,
        differences=config_differences([result.settings for result in results]) if len(results) > 1 else [],
        settings=flatten(results[0].settings) if len(results) == 1 else {},
        damaged=[(result.label, line) for result in results for line in dict.fromkeys(result.files.damaged)],
        missing=_missing(results),
        data=data,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        allowed=[_digest(script) for script in scripts],
    )


def _plain(result: RunResults) -> dict[str, Any]:
    run = result.run
    return {"label": result.label, "parameters": run.parameters, "seed": str(run.seed), "state": run.state}


def _choices(results: list[RunResults], axes: list[str]) -> dict[str, list[str]]:
    """What can be filtered by, with its values: axes, seeds and states of which there are several."""
    values = {axis: [result.run.parameters.get(axis, "") for result in results] for axis in axes}
    values |= {"seed": [str(result.run.seed) for result in results], "state": [result.run.state for result in results]}
    return {name: list(dict.fromkeys(found)) for name, found in values.items() if len(set(found)) > 1}


def _missing(results: list[RunResults]) -> dict[str, list[str]]:
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


def _remove(part: Path) -> None:
    with suppress(OSError):  # what kept it from being written is being said already
        part.unlink(missing_ok=True)
