"""The charts of a report, as plotly figures with a trace a run; the page paints, filters and draws them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import plotly.graph_objects as go

from avs_lightning.reporting.report.results import SECONDS, SOUNDS, RunResults, sounds

FEW_EPOCHS = 12
COST_AXES: dict[str, Callable[[dict[str, float]], float | None]] = {
    "train minutes": lambda cost: cost["train_seconds"] / 60 if "train_seconds" in cost else None,
    "clips a second in training": lambda cost: cost.get("clips_per_second"),
    "parameters, millions": lambda cost: cost["parameters"] / 1e6 if "parameters" in cost else None,
    "peak memory, MiB": lambda cost: cost.get("peak_memory_mib"),
}


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        name: its key in the page.
        title: what stands above it.
        about: one line that says how to read it.
        figure: a trace a run, with `meta = {"run": index}`; no colours.
        axes: names of what the x axis can show, where it can be chosen; `meta["x"]` holds each one's values.
    """

    name: str
    title: str
    about: str
    figure: go.Figure
    axes: tuple[str, ...] = field(default=())

    def plain(self) -> dict[str, Any]:
        """Return what the page's script needs, ready for JSON."""
        figure = self.figure.to_plotly_json()
        return {"name": self.name, "data": figure["data"], "layout": figure["layout"], "axes": self.axes}


def charts(results: list[RunResults], protocol: str) -> list[Chart]:
    """Return every chart that has something to show."""
    drawn = [
        _curve(results, "validation", "Validation mIoU", "mIoU %", lambda r: [(e, 100 * v) for e, v in r.validation]),
        _curve(results, "loss", "Training loss", "loss", lambda result: result.loss),
        *([_cost(results, protocol)] if len(results) > 1 else []),
        _sounds(results, protocol),
        _seconds(results),
        _categories(results),
    ]
    return [chart for chart in drawn if chart.figure.data]


def _curve(
    results: list[RunResults], name: str, title: str, unit: str, points: Callable[[RunResults], list[tuple[int, float]]]
) -> Chart:
    traces = []
    for index, result in enumerate(results):
        found = points(result)
        if found:
            epochs, values = zip(*found)
            traces.append(_trace(index, result, epochs, values, "lines" if len(found) > 1 else "markers", "epoch %{x}"))
    about = "by epoch, protocol frame" if name == "validation" else "mean of each epoch"
    figure = _figure(traces, "epoch", unit)
    if traces and max(trace.x[-1] for trace in traces) <= FEW_EPOCHS:
        figure.update_xaxes(dtick=1)
    return Chart(name, title, about, figure)


def _cost(results: list[RunResults], protocol: str) -> Chart:
    traces = []
    for index, result in enumerate(results):
        miou = result.score(f"miou_{protocol}")
        choices = {name: [value(result.cost)] for name, value in COST_AXES.items()}
        if miou is not None and any(x[0] is not None for x in choices.values()):
            trace = _trace(index, result, choices["train minutes"], [100 * miou], "markers", "%{x:,.4~g}")
            trace.meta["x"] = choices
            traces.append(trace)
    figure = _figure(traces, "", "mIoU %")
    figure.update_xaxes(rangemode="tozero")
    given = tuple(name for name in COST_AXES if any(trace.meta["x"][name][0] is not None for trace in traces))
    about = f"test mIoU, protocol {protocol}; the line joins the cells that nothing cheaper beats"
    return Chart("cost", "Accuracy against cost", about, figure, given)


def _sounds(results: list[RunResults], protocol: str) -> Chart:
    heard = sounds(results)
    names = [escape(SOUNDS.get(sound, sound)) for sound in heard]
    traces = []
    for index, result in enumerate(results):
        values = [result.score(f"miou_{protocol}", sound) for sound in heard]
        if any(value is not None for value in values):
            traces.append(_trace(index, result, names, _percent(values), "lines+markers", "%{x}"))
    about = f"test mIoU, protocol {protocol}; what listens must lose with a sound that is not its own"
    figure = _figure(traces, "", "mIoU %")
    figure.update_xaxes(type="category")
    return Chart("sounds", "mIoU by sound", about, figure)


def _seconds(results: list[RunResults]) -> Chart:
    traces = []
    for index, result in enumerate(results):
        values = [result.score(f"miou_second_{second}") for second in SECONDS]
        if any(value is not None for value in values):
            traces.append(_trace(index, result, list(SECONDS), _percent(values), "lines+markers", "second %{x}"))
    figure = _figure(traces, "second of the clip", "mIoU %")
    figure.update_xaxes(dtick=1)
    return Chart("seconds", "mIoU by second", "test clips with their own sound", figure)


def _categories(results: list[RunResults]) -> Chart:
    by_run = [result.categories() for result in results]
    found: dict[str, list[float]] = {}
    for categories in by_run:
        for category, value in categories.items():
            found.setdefault(category, []).append(value)
    order = sorted(found, key=lambda category: sum(found[category]) / len(found[category]))
    traces = []
    for index, (result, categories) in enumerate(zip(results, by_run)):
        names = [category for category in order if category in categories]
        if names:
            values = [100 * categories[name] for name in names]
            texts = [escape(name.replace("_", " ")) for name in names]
            traces.append(_trace(index, result, values, texts, "markers", "%{y}", "%{x:.1f}"))
    figure = _figure(traces, "mIoU %", "")
    # A category's place is fixed by all runs, so that rows do not jump when runs are filtered.
    rows = [escape(name.replace("_", " ")) for name in order]
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=rows, dtick=1, automargin=True)
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(height=max(340, 90 + 22 * len(order)))
    return Chart("categories", "mIoU by category", "mean over test clips; the hardest at the bottom", figure)


def _trace(
    index: int, result: RunResults, x: Any, y: Any, mode: str, where: str, value: str = "%{y:.4~g}"
) -> go.Scatter:
    return go.Scatter(
        x=list(x),
        y=list(y),
        mode=mode,
        name=escape(result.label),  # plotly reads HTML in texts
        meta={"run": index},
        hovertemplate=f"<b>%{{fullData.name}}</b><br>{where}: {value}<extra></extra>",
    )


def _figure(traces: list[go.Scatter], x: str, y: str) -> go.Figure:
    titles = {"xaxis": {"title": {"text": x, "standoff": 10}}, "yaxis": {"title": {"text": y, "standoff": 10}}}
    return go.Figure(traces, titles | {"height": 340, "template": None})


def _percent(values: list[float | None]) -> list[float | None]:
    return [None if value is None else 100 * value for value in values]
