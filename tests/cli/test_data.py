"""`avs data make|check|stats`, through the real command."""

import csv
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

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


@pytest.mark.parametrize("classes", [2, 4])
def test_clips_of_ones_own_are_checked_counted_trained_on_resumed_tested_and_reported(
    avs: Callable, tiny: list[str], own_folder: Callable[..., Path], scores_in: Callable, tmp_path: Path, classes: int
) -> None:
    root, run = own_folder(tmp_path / "own clips", classes=classes), tmp_path / "run"
    assert avs("data", "check", str(root)).code == 0
    counted = avs("data", "stats", str(root), "--figure", str(tmp_path / "counts.svg"))
    assert counted.code == 0, counted.err
    assert "own clips: 8 clips in 2 categories" in counted.out

    own = ["data=folder", f"data.root={root}", "data.name=own", *tiny[2:]]
    ended = avs("train", *own, "trainer.max_epochs=1", f"paths.output_dir={run}")
    assert ended.code == 0, ended.err
    ended = avs("train", f"resume={run}", "trainer.max_epochs=2")
    assert ended.code == 0, ended.err
    ended = avs("eval", f"checkpoint={run}/checkpoints/best.ckpt", f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 0, ended.err
    assert scores_in(tmp_path / "eval") == scores_in(run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["data"], metrics["name"][:4], metrics["synthetic"]) == ("own", "own_", False)
    ended = avs("report", str(run), "--output", str(tmp_path / "report.html"))
    assert ended.code == 0, ended.err
    assert "test 1" in (tmp_path / "report.html").read_text()


def test_what_is_wrong_with_clips_of_ones_own_is_said_once_for_each_cause(
    avs: Callable, own_folder: Callable[..., Path], tmp_path: Path
) -> None:
    root = own_folder(tmp_path, train=6, classes=3)
    for number in (0, 2):
        shutil.rmtree(root / f"train {number}" / "masks")
        (root / f"train {number}" / "sound.flac").unlink()
    (root / "train 4").rename(root / "trian 4")
    (root / "classes.txt").write_text("background\n\n")
    Image.new("L", (40, 30), 9).save(root / "val 0" / "masks" / "frame_9.png")
    Image.new("L", (30, 40)).save(root / "val 1" / "masks" / "frame_9.png")
    ended = avs("data", "check", str(root))
    assert ended.code == 1
    assert "classes.txt names 1 classes" in ended.err
    (root / "classes.txt").write_text("background\ndog\ndoor bell\n")
    for second in range(30, 50):
        shutil.copy(root / "test 0" / "frames" / "frame_9.jpg", root / "test 0" / "frames" / f"frame_{second}.jpg")
    ended = avs("data", "check", str(root))
    assert ended.code == 1
    causes = (
        "masks: 2 files",
        "wav missing: 2 files",
        "did you mean trian 4",
        "value 9, and there are 3 classes",
        "30x40 pixels, expected 40x30",
        "3.00 s, expected 23",
        "a frame a second",
        "clip not in the CSV (note): 1 file",
    )
    for words in causes:
        assert words in " ".join(ended.out.split()), ended.out


def test_settings_of_drawn_clips_are_none_of_ones_own(
    avs: Callable, own_folder: Callable[..., Path], tmp_path: Path
) -> None:
    ended = avs("train", "data=folder", f"data.root={own_folder(tmp_path)}", "experiment=small", "encoder=test_resnet")
    assert ended.code == 1
    assert "FolderDataModule cannot be built from data.synthetic=" in ended.err
    assert "no such setting" in ended.err
