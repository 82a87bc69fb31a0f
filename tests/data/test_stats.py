import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from avs_lightning.data.stats import clip_counts, counts_table, metadata_files
from avs_lightning.data.synthetic import write_dataset
from avs_lightning.errors import UserError

Write = Callable[..., Path]


def printed(counts: pd.DataFrame) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(counts_table(counts))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_single_source_benchmark(shared: Path) -> None:
    counts = clip_counts(shared / "avsbench" / "s4_meta_data.csv")
    assert len(counts) == 23
    assert counts["total"].sum() == counts.attrs["clips"] == 4932
    assert counts[["train", "val", "test"]].sum().tolist() == [3452, 740, 740]
    assert counts.index[0] == "helicopter"
    assert counts.loc["helicopter"].tolist() == [217, 47, 47, 311]
    assert counts["total"].is_monotonic_decreasing
    text = printed(counts)
    assert "4,932 clips in 23 categories" in text
    assert "311" in text


def test_multi_source_benchmark(shared: Path) -> None:
    counts = clip_counts(shared / "avsbench" / "ms3_meta_data.csv")
    assert counts["clips"].to_dict() == {"train": 296, "val": 64, "test": 64, "all": 424}
    assert counts["leaked"].to_dict() == {"train": 0, "val": 41, "test": 38, "all": 79}
    assert counts.loc["all", "sources"] == 219
    assert "424 clips from 219 source videos" in printed(counts)


def test_semantic_benchmark(shared: Path) -> None:
    counts = clip_counts(shared / "avsbench" / "avss_metadata.csv")
    assert counts.attrs["clips"] == 11_356
    assert len(counts) == 70  # and the background makes 71 classes
    assert "h orse" not in counts.index
    assert counts.loc["horse", "total"] == 226
    assert counts.attrs["note"] == "train/val/test: v1m 296/64/64, v1s 3,452/740/740, v2 4,750/500/750"


def test_folder_with_one_data_set(tmp_path: Path, official_s4: Write) -> None:
    root = official_s4(tmp_path, train=4, val=0, size=8)
    for path in (root, root / "Single-source", root / "Single-source" / "s4_meta_data.csv"):
        counts = clip_counts(path)
        assert counts.loc["cat_meowing"].to_dict() == {"train": 2, "val": 0, "test": 1, "total": 3}


def test_folder_with_two_data_sets_lists_them(tmp_path: Path, official_s4: Write, official_ms3: Write) -> None:
    official_s4(tmp_path, size=8)
    root = official_ms3(tmp_path, size=8)
    assert [path.name for path in metadata_files(root)] == ["s4_meta_data.csv", "ms3_meta_data.csv"]
    with pytest.raises(UserError, match=r"holds several data sets: name one of .*s4_meta_data\.csv, .*ms3_meta_data"):
        clip_counts(root)


def test_drawn_clips_are_not_called_avsbench(tmp_path: Path) -> None:
    write_dataset(tmp_path, "s4", {"train": 1}, size=32, videos=False, workers=1, progress=False)
    assert clip_counts(tmp_path).attrs["title"].startswith("Synthetic S4: 1 clips")


def test_nothing_to_count(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no metadata in .*: looked for s4_meta_data"):
        clip_counts(tmp_path)
    with pytest.raises(UserError, match="which does not exist"):
        clip_counts(tmp_path / "nowhere.csv")
    (tmp_path / "s4_meta_data.csv").write_text("name,category\na,b\n")
    with pytest.raises(UserError, match=r"has the columns name,category, expected one of: name,start,category,split"):
        clip_counts(tmp_path)


def test_clips_of_ones_own_by_category_or_without_any(tmp_path: Path, own_folder: Write) -> None:
    root = own_folder(tmp_path / "street")
    counts = clip_counts(root)
    assert counts.loc["dog"].to_dict() == {"train": 2, "val": 1, "test": 1, "total": 4}
    assert counts.attrs["title"] == "street: 8 clips in 2 categories"
    assert "all" in printed(counts)
    rows = [line.rpartition(",")[0] for line in (root / "clips.csv").read_text().splitlines()]
    (root / "clips.csv").write_text("\n".join(rows))
    counts = clip_counts(root / "clips.csv")
    assert counts.loc["clips"].to_dict() == {"train": 4, "val": 2, "test": 2, "total": 8}
    assert "all" not in printed(counts)
