"""The clips of a report: which cells' and which clips, as many as the page's size allows."""

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from avs_lightning.reporting.report.clip_media import clip_media
from avs_lightning.reporting.report.results import SECONDS, RunResults, number

KINDS = ("worst", "random", "best")
ALL_CELLS = 6
MEDIA_BYTES = 9_000_000


@dataclass
class ClipGallery:
    """What the page holds of clips.

    Attributes:
        cells: by a run's index its clips: id, category, why, scores as fractions, and the keys of their media.
        media: data URIs by key; what several cells share is there once.
        left_out: lines that say what is not in the page.
    """

    cells: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def clip_gallery(results: list[RunResults], protocol: str, limit: int = MEDIA_BYTES) -> ClipGallery:
    """Take clips in: of up to `ALL_CELLS` cells, else of the best and the worst one, in turns until the page is full.

    Args:
        results: the runs of the report; files that cannot be shown are noted in theirs.
        protocol: whose mIoU says which cells are the best and the worst.
        limit: how many bytes the frames, masks and sounds may take in the page.
    """
    gallery = ClipGallery()
    having = [index for index, result in enumerate(results) if result.chosen]
    cells = having if len(having) <= ALL_CELLS else _extremes(results, having, protocol)
    if len(cells) < len(having):
        gallery.left_out.append(
            f"{len(having)} cells have clips: shown are those with the best and the worst mIoU. "
            "The others' are in their run folders, under clips/."
        )
    size = dropped = 0
    for turn in zip_longest(*(_in_turns(results[index].chosen) for index in cells)):
        for index, entry in zip(cells, turn):
            if entry is None:
                continue
            keys, media = clip_media(entry, results[index].files)
            new = {key: uri for key, uri in media.items() if key not in gallery.media}
            if size + sum(map(len, new.values())) > limit:
                dropped += 1
                continue
            size += sum(map(len, new.values()))
            gallery.media |= new
            gallery.cells.setdefault(index, []).append(_scores(entry, results[index]) | keys)
    for clips in gallery.cells.values():
        clips.sort(key=lambda clip: KINDS.index(clip["why"]) if clip["why"] in KINDS else len(KINDS))
    if dropped:
        gallery.left_out.append(
            f"{dropped} more clips of these cells are left out, so that the page stays below "
            f"{limit / 1e6:.3g} MB of pictures and sounds; they too are under clips/."
        )
    return gallery


def _extremes(results: list[RunResults], having: list[int], protocol: str) -> list[int]:
    def miou(index: int) -> float:
        score = results[index].score(f"miou_{protocol}")
        return -1.0 if score is None else score

    ordered = sorted(having, key=miou)
    return [ordered[-1], ordered[0]]


def _in_turns(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of each kind, then the second of each, so that a full page has some of every kind."""
    kinds = [[entry for entry in entries if entry.get("why") == kind] for kind in KINDS]
    rest = [entry for entry in entries if entry.get("why") not in KINDS]
    turns = [entry for turn in zip_longest(*kinds) for entry in turn if entry is not None]
    return turns + rest


def _scores(entry: dict[str, Any], result: RunResults) -> dict[str, Any]:
    row = result.clips.get(str(entry.get("id")), {})
    return {
        "id": str(entry.get("id", "")),
        "category": str(entry.get("category") or ""),
        "why": str(entry.get("why", "")),
        **{name: number(entry.get(name)) for name in ("miou", "fscore", "false_positive_rate")},
        "seconds": [number(row.get(f"miou_second_{second}")) for second in SECONDS],
    }
