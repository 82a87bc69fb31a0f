"""The clips of a report: each with what every run made of it, as many as the page's size allows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from avs_lightning.data.layouts.base import BINARY
from avs_lightning.reporting.report.cells import Cell
from avs_lightning.reporting.report.clip_media import clip_media
from avs_lightning.reporting.report.results import RunResults, number

KINDS = ("worst", "random", "best", "silent")
MEDIA_BYTES = 4_000_000


@dataclass
class ClipGallery:
    """What the page holds of clips.

    Attributes:
        clips: id, category, group, the keys of its frames, true masks and sound, which seconds are silent, and under
            "runs" by a run's index its scores as fractions, why it was kept and the keys of its masks.
        media: data URIs by key; what several runs share is there once.
        left_out: how many clips of the runs are not in the page.
    """

    clips: list[dict[str, Any]] = field(default_factory=list)
    media: dict[str, str] = field(default_factory=dict)
    left_out: int = 0


def clip_gallery(
    results: Sequence[RunResults], cells: Sequence[Cell], metric: str, limit: int = MEDIA_BYTES
) -> ClipGallery:
    """Take clips in until the page is full: first those that most runs have, to compare them, then those of the best.

    Args:
        results: the runs of the report; files that cannot be shown are noted in theirs.
        cells: the cells they belong to.
        metric: the score that says which runs are the best, e.g. `miou_frame`.
        limit: how many bytes the frames, masks and sounds may take in the page.
    """
    groups = {run: cell.group for cell in cells for run in cell.runs}
    holders: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for run, result in enumerate(results):
        for entry in result.chosen:
            holders.setdefault((groups[run], str(entry.get("id", ""))), {})[run] = entry
    ranked = sorted(range(len(results)), key=lambda run: -(results[run].score(metric) or 0.0))
    turns = zip_longest(*([(groups[run], name) for name in _in_turns(results[run].chosen)] for run in ranked))
    order = dict.fromkeys(key for turn in turns for key in turn if key is not None)
    gallery, size = ClipGallery(), 0
    for key in sorted(order, key=lambda key: -len(holders[key])):
        clip, media = _clip(key, holders[key], results)
        new = {name: uri for name, uri in media.items() if name not in gallery.media}
        if size + sum(map(len, new.values())) > limit:
            gallery.left_out += 1
            continue
        size += sum(map(len, new.values()))
        gallery.media |= new
        gallery.clips.append(clip)
    return gallery


def _in_turns(entries: list[dict[str, Any]]) -> list[str]:
    """The first of each kind, then the second of each, so that a full page has some of every kind."""
    kinds = [[entry for entry in entries if entry.get("why") == kind] for kind in KINDS]
    rest = [entry for entry in entries if entry.get("why") not in KINDS]
    turns = [entry for turn in zip_longest(*kinds) for entry in turn if entry is not None]
    return [str(entry.get("id", "")) for entry in turns + rest]


def _clip(
    key: tuple[str, str], entries: dict[int, dict[str, Any]], results: Sequence[RunResults]
) -> tuple[dict[str, Any], dict[str, str]]:
    classes = max((results[run].classes for run in entries), key=len)
    names = list(classes) or BINARY
    scene, masks, media = clip_media(entries, {run: results[run].files for run in entries}, names)
    clip = {"id": key[1], "group": key[0], "category": str(next(iter(entries.values())).get("category") or ""), **scene}
    known = [silent for silent in scene["silent"] if silent is not None]
    # A clip in which nothing sounds is ranked apart, whatever an earlier version called it.
    silent = {"why": "silent"} if known and all(known) else {}
    runs = {run: _scores(entry, results[run]) | silent | masks[run] for run, entry in entries.items()}
    return clip | {"runs": runs}, media


def _scores(entry: dict[str, Any], result: RunResults) -> dict[str, Any]:
    row = result.clips.get(str(entry.get("id")), {})
    seconds = [number(text) for column, text in row.items() if column.startswith("miou_second_")]
    names = ("miou", "miou_sounding", "fscore", "false_positive_rate")
    return {"why": str(entry.get("why", "")), **{name: number(entry.get(name)) for name in names}, "seconds": seconds}
