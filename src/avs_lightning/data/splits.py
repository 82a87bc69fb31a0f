"""MS3 split by source video: the 424 clips come from 219 videos, which the official split does not keep apart."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping

SOURCE_LETTERS = 11
_HELD_OUT = 64 / 424  # the official share of val and of test


def source(clip_id: str) -> str:
    """The source video of an MS3 clip: the YouTube id that its id begins with."""
    return clip_id[:SOURCE_LETTERS]


def split_by_source(clip_ids: Iterable[str], seed: int = 0) -> dict[str, str]:
    """Draw a split in which no source video is in two splits, with the official sizes (296/64/64 of 424).

    Sources are dealt out from large to small, each to a split drawn in proportion to the room left in it. One that
    would fill more than an eighth of val or test goes to train, so that no single video decides a score.

    Returns:
        The split of each clip id; the same for the same ids and seed, whatever their order.
    """
    groups = defaultdict(list)
    for clip_id in sorted(clip_ids):
        groups[source(clip_id)].append(clip_id)
    clips = sum(map(len, groups.values()))
    held_out = round(clips * _HELD_OUT)
    most = max(held_out // 8, 2, min(map(len, groups.values()), default=0))  # the latter two for small sets
    room = {"train": clips - 2 * held_out, "val": held_out, "test": held_out}

    draw = random.Random(seed)
    sources = list(groups)
    draw.shuffle(sources)
    splits: dict[str, str] = {}
    for name in sorted(sources, key=lambda name: -len(groups[name])):
        size = len(groups[name])
        fits = [split for split in ("val", "test") if size <= min(room[split], most)]
        weights = [room["train"] if fits else 1, *(room[split] for split in fits)]
        chosen = draw.choices(["train", *fits], weights)[0]
        room[chosen] = max(0, room[chosen] - size)
        splits |= dict.fromkeys(groups[name], chosen)
    return splits


def leaked(splits: Mapping[str, str]) -> dict[str, int]:
    """How many clips of val and of test share their source video with a training clip, for the split of each id."""
    trained = {source(clip_id) for clip_id, split in splits.items() if split == "train"}
    return {
        held_out: sum(split == held_out and source(clip_id) in trained for clip_id, split in splits.items())
        for held_out in ("val", "test")
    }
