"""Equal data has an equal fingerprint, wherever it lies; other data has another."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from avs_lightning.data import MS3DataModule, S4DataModule
from avs_lightning.data.fingerprint import dataset_fingerprint
from avs_lightning.data.synthetic import write_dataset


def fingerprint(root: Path, name: str = "ms3", **options: object) -> str:
    return dataset_fingerprint({"s4": S4DataModule, "ms3": MS3DataModule}[name](root, image_size=32, **options))  # type: ignore[arg-type]


def test_it_goes_with_the_data(official_ms3: Callable, tmp_path: Path) -> None:
    here, there = official_ms3(tmp_path / "here", train=4, val=2, test=2), tmp_path / "there"
    shutil.copytree(here, there)
    one = fingerprint(here)
    assert len(one) == 12
    assert int(one, 16) >= 0
    assert fingerprint(there, batch_size=1, workers=0, seed=5) == one
    assert fingerprint(there / "Multi-sources") == one


def test_other_data_has_another(official_ms3: Callable, official_s4: Callable, tmp_path: Path) -> None:
    root = official_ms3(tmp_path / "ms3", train=8, val=4, test=4)
    found = {
        "whole": fingerprint(root),
        "first clips": fingerprint(root, limit=1),
        "by source": fingerprint(root, partition="by_source"),
        "other split": fingerprint(root, partition="by_source", partition_seed=1),
        "another set": fingerprint(official_ms3(tmp_path / "more", train=5, val=2, test=2)),
        "s4": fingerprint(official_s4(tmp_path / "s4"), name="s4"),
    }
    mask = next((root / "Multi-sources" / "ms3_data" / "gt_masks" / "test").rglob("*_5.png"))
    Image.effect_noise((32, 32), 90).convert("1").save(mask)
    found["changed mask"] = fingerprint(root)
    mask.unlink()
    found["missing mask"] = fingerprint(root)
    assert len(set(found.values())) == len(found), found


def test_a_split_may_be_missing(official_ms3: Callable, tmp_path: Path) -> None:
    root = official_ms3(tmp_path, train=2, val=1, test=1)
    whole, path = fingerprint(root), root / "Multi-sources" / "ms3_meta_data.csv"
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[1] != "train"]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert fingerprint(root) != whole


@pytest.mark.parametrize("pattern", ["visual_frames/test*/*_3.png", "audio_wav/test/*.wav", "gt_masks/val/*/*_2.png"])
def test_a_changed_byte_anywhere_is_other_data(official_ms3: Callable, tmp_path: Path, pattern: str) -> None:
    root = official_ms3(tmp_path)
    before = fingerprint(root)
    file = next((root / "Multi-sources" / "ms3_data").glob(pattern))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert fingerprint(root) != before


def test_files_are_read_once(official_ms3: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = official_ms3(tmp_path)
    found = fingerprint(root)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read again"))
    assert fingerprint(root) == found


def test_drawn_clips_say_so_without_their_record_and_elsewhere(official_ms3: Callable, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "drawn", "ms3", {"train": 1, "val": 1, "test": 1}, size=32, videos=False)
    assert MS3DataModule(tmp_path / "drawn", image_size=32).synthetic
    (folder / "synthetic.json").unlink()
    shutil.copytree(tmp_path / "drawn", tmp_path / "copied")
    assert MS3DataModule(tmp_path / "copied", image_size=32).synthetic
    assert not MS3DataModule(official_ms3(tmp_path / "real"), image_size=32).synthetic
