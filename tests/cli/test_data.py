"""`avs data make|check|stats`, through the real command."""

import csv
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SIZES = ["--train", "2", "--val", "1", "--test", "1", "--size", "32"]
FEW = [*SIZES, "--categories", "2", "--no-videos", "--workers", "1"]


def test_what_make_advises_runs_as_it_is_printed(
    avs: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = avs("data", "make", "drawn here, a=b", *FEW)
    assert made.code == 0, made.err
    (line,) = [line for line in made.out.splitlines() if line.startswith("Train on them: avs ")]
    small = ["encoder=test_resnet", "encoder.weights=none", "audio_encoder=small", "decoder.channels=8"]
    ended = avs(*shlex.split(line.partition(": avs ")[2]), *small, "data.workers=0", "dry_run=true")
    assert ended.code == 0, ended.err
    assert "One batch: 2 clips" in ended.out


def test_one_cause_is_a_few_lines_and_the_full_list_a_file(
    avs: Callable, official_ms3: Callable[..., Path], tmp_path: Path
) -> None:
    root = official_ms3(tmp_path / "set", size=64)
    ended = avs("data", "check", str(root), "--output", str(tmp_path / "all.csv"))
    assert ended.code == 1
    assert "all frames are 64 x 64: data.image_size=64" in ended.out
    assert len(ended.out.splitlines()) < 15
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["kind"] == "frame size"]) == 20
    assert all(Path(row["path"]).exists() for row in rows)
    assert avs("data", "check", str(root), "--size", "64").code == 0


def test_two_sets_get_two_figures(avs: Callable, official_s4: Callable, official_ms3: Callable, tmp_path: Path) -> None:
    official_s4(tmp_path / "set", size=8)
    root = official_ms3(tmp_path / "set", size=8)
    assert avs("data", "stats", str(root), "--figure", str(tmp_path / "f.png")).code == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {"f_s4.png", "f_ms3.png"}
    shutil.rmtree(root / "Single-source")
    assert avs("data", "stats", str(root), "--figure", str(tmp_path / "one.png")).code == 0
    assert (tmp_path / "one.png").is_file()
