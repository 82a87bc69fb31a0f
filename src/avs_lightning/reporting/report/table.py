"""The table of a report: a row a run, every number with its value for sorting and its text for reading."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from avs_lightning.reporting.report.results import SOUNDS, TRUE, RunResults, number, sounds

MISSING = "–"
GROUPS = {"parameters": "", "scores": "own sound", "probes": "mIoU % with another sound", "cost": "cost"}


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: what stands above it.
        group: a key of `GROUPS`.
        kind: "number", "text" or "state".
        about: a few words that say what it is.
    """

    title: str
    group: str
    kind: str = "number"
    about: str = ""


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        text: what is read.
        value: what is sorted by; None where there is nothing.
        share: of a score, its share of the whole, for the bar behind it.
    """

    text: str
    value: float | str | None
    share: float | None = None


def columns(results: list[RunResults], protocol: str) -> list[tuple[Column, list[Entry]]]:
    """Return the columns of a report's table, each with an entry a run."""
    return [*_identity(results), *_scores(results, protocol), *_probes(results, protocol), *_costs(results)]


def groups(columns: list[tuple[Column, list[Entry]]]) -> list[tuple[str, str, int]]:
    """Return the groups of neighbouring columns: name, what stands above them, and how many they are."""
    return [(name, GROUPS[name], len(list(members))) for name, members in groupby(columns, lambda pair: pair[0].group)]


def _identity(results: list[RunResults]) -> list[tuple[Column, list[Entry]]]:
    axes = list(dict.fromkeys(axis for result in results for axis in result.run.parameters))
    found = []
    for axis in axes:
        texts = [result.run.parameters.get(axis, "") for result in results]
        numeric = all(number(text) is not None for text in texts if text) and any(texts)
        entries = [Entry(text or MISSING, (number(text) if numeric else text) if text else None) for text in texts]
        found.append((Column(axis, "parameters", "number" if numeric else "text"), entries))
    seeds = [Entry(str(result.run.seed), result.run.seed) for result in results]
    states = [Entry(result.run.state, result.run.state) for result in results]
    return [*found, (Column("seed", "parameters"), seeds), (Column("state", "parameters", "state"), states)]


def _scores(results: list[RunResults], protocol: str) -> list[tuple[Column, list[Entry]]]:
    def column(title: str, metric: str, about: str, bar: bool = False) -> tuple[Column, list[Entry]]:
        values = [result.score(metric) for result in results]
        entries = [_entry(value, 100, 2, share=value if bar else None) for value in values]
        return Column(title, "scores", about=about), entries

    return [
        column("mIoU %", f"miou_{protocol}", f"mean IoU with its own sound, protocol {protocol}", bar=True),
        column("F %", f"fscore_{protocol}", f"F-score with its own sound, protocol {protocol}"),
        column("FPR %", "false_positive_rate", "share of silent pixels wrongly switched on"),
    ]


def _probes(results: list[RunResults], protocol: str) -> list[tuple[Column, list[Entry]]]:
    metric = f"miou_{protocol}"
    found = []
    for sound in sounds(results):
        if sound == TRUE:
            continue
        name = SOUNDS.get(sound, sound)
        values, drops = [], []
        for result in results:
            value, own = result.score(metric, sound), result.score(metric)
            values.append(_entry(value, 100, 1))
            drops.append(_entry(None if value is None or own is None else own - value, 100, 1))
        found.append((Column(name, "probes", about=f"mIoU % with this sound: {name}"), values))
        found.append((Column("drop", "probes", about=f"points lost with this sound: {name}"), drops))
    return found


def _costs(results: list[RunResults]) -> list[tuple[Column, list[Entry]]]:
    rows: tuple[tuple[str, str, float, int, str], ...] = (
        ("epochs", "epochs", 1, 0, "epochs trained"),
        ("train min", "train_seconds", 1 / 60, 1, "minutes of training"),
        ("clips/s", "clips_per_second", 1, 1, "clips a second in training, all processes"),
        ("memory MiB", "peak_memory_mib", 1, 0, "peak memory: the GPU's where there is one, else the process's"),
        ("parameters M", "parameters", 1e-6, 2, "millions of parameters"),
    )
    return [
        (Column(title, "cost", about=about), [_entry(result.cost.get(name), scale, digits) for result in results])
        for title, name, scale, digits, about in rows
    ]


def _entry(value: float | None, scale: float, digits: int, share: float | None = None) -> Entry:
    if value is None:
        return Entry(MISSING, None)
    return Entry(f"{value * scale:,.{digits}f}", value * scale, share)


def summary(results: list[RunResults], protocol: str) -> list[dict[str, Any]]:
    """Return the few numbers that stand at the top: name, value, and what it belongs to."""
    tiles: list[dict[str, Any]] = []
    done = sum(result.run.state == "done" for result in results)
    if len(results) > 1:
        tiles.append({"name": "cells done", "value": f"{done} of {len(results)}", "of": _states(results)})
    metric = f"miou_{protocol}"
    scored = [result for result in results if result.score(metric) is not None]
    if scored:
        best = max(scored, key=lambda result: result.score(metric) or 0.0)
        own = best.score(metric) or 0.0
        name = "best mIoU" if len(results) > 1 else "mIoU"
        of = best.label if len(results) > 1 else f"protocol {protocol}"
        tiles.append({"name": name, "value": f"{100 * own:.2f} %", "of": of})
        muted = best.score(metric, "muted")
        if muted is not None:
            tiles.append({"name": "the same, muted", "value": f"{100 * muted:.2f} %",
                          "of": f"{100 * (own - muted):.1f} points lost"})  # fmt: skip
    seconds = [result.cost["train_seconds"] for result in results if "train_seconds" in result.cost]
    if seconds:
        total = sum(seconds)
        value = f"{total / 3600:,.1f} h" if total >= 2 * 3600 else f"{total / 60:,.1f} min"
        tiles.append({"name": "training, in all", "value": value, "of": f"{len(seconds)} of {len(results)}"})
    return tiles


def _states(results: list[RunResults]) -> str:
    rest = [result.run.state for result in results if result.run.state != "done"]
    return ", ".join(f"{rest.count(state)} {state}" for state in dict.fromkeys(rest)) or "all"
