import csv
import random
from collections import Counter
from pathlib import Path

import pytest

from avs_lightning.data.splits import leaked, source, split_by_source


@pytest.fixture
def official(shared: Path) -> dict[str, str]:
    with (shared / "avsbench" / "ms3_meta_data.csv").open() as file:
        return {row["video_id"]: row["split"] for row in csv.DictReader(file)}


def test_official_split_leaks(official: dict[str, str]) -> None:
    assert len({source(clip) for clip in official}) == 219
    assert leaked(official) == {"val": 41, "test": 38}


@pytest.mark.parametrize("seed", range(8))
def test_no_source_is_in_two_splits_and_sizes_are_the_official_ones(official: dict[str, str], seed: int) -> None:
    splits = split_by_source(official, seed)
    assert set(splits) == set(official)
    assert len({(source(clip), split) for clip, split in splits.items()}) == 219
    assert Counter(splits.values()) == {"train": 296, "val": 64, "test": 64}
    largest = Counter(source(clip) for clip, split in splits.items() if split != "train").most_common(1)[0][1]
    assert largest <= 8


def test_same_seed_same_split_whatever_the_order(official: dict[str, str]) -> None:
    shuffled = list(official)
    random.Random(5).shuffle(shuffled)
    assert split_by_source(shuffled, 3) == split_by_source(official, 3)
    assert split_by_source(official, 3) != split_by_source(official, 4)


@pytest.mark.parametrize("clips_a_source", [1, 2, 5, 40])
def test_small_sets_lose_no_clip(clips_a_source: int) -> None:
    clips = [f"{number // clips_a_source:011d}_{number}" for number in range(40)]
    splits = split_by_source(clips)
    assert set(splits) == set(clips)
    assert leaked(splits) == {"val": 0, "test": 0}
    if clips_a_source == 1:
        assert Counter(splits.values()) == {"train": 28, "val": 6, "test": 6}
