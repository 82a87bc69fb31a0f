"""What W&B is given: clips with masks and sound, tables of clips from a run folder, charts of scores."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

from avs_lightning.data import ClipBatch, example_batch
from avs_lightning.reporting.wandb_media import (
    category_chart,
    clip_media,
    clip_table,
    log_clip_table,
    log_results,
    score_charts,
    staged_in,
)


class Logged:
    """Stands in for a W&B run and keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}

    def log(self, row: dict[str, Any]) -> None:
        self.rows.append(row)


@pytest.fixture
def batch() -> ClipBatch:
    clip = example_batch(1, 32)
    clip.labels[:, :, 8:] = 0
    clip.labels[:, :, :8] = 1
    clip.labelled[:, 1:] = False
    return clip


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """One clip in clips/, whose last second has no label, and two in clips.csv."""
    folder = tmp_path / "clips"
    folder.mkdir()
    files: dict[str, list[str | None]] = {"frames": [], "truth": [], "prediction": [], "muted": []}
    for second in range(2):
        for kind, names in files.items():
            name = f"{kind}_{second}.{'jpg' if kind == 'frames' else 'png'}"
            Image.new("RGB" if kind == "frames" else "L", (16, 8), (255, 0, 0) if kind == "frames" else 255).save(
                folder / name
            )
            names.append(name)
    files["truth"][1] = None
    soundfile.write(folder / "a.mp3", np.zeros(16_000), 16_000)
    clip = {"id": "07", "category": "", "why": "worst", "miou": 0.25, "fscore": 0.5, "false_positive_rate": 0.1}
    (folder / "index.json").write_text(json.dumps([{**clip, **files, "sound": "a.mp3"}]))
    header = "id,category,miou,fscore,false_positive_rate,miou_second_1,miou_second_2\n"
    (tmp_path / "clips.csv").write_text(f"{header}07,,0.25,0.5,0.1,0.25,\nnan,dog,0.5,0.5,0.1,0.5,0.25\n")
    return tmp_path


def test_a_clip_has_masks_of_every_second_and_its_sound(batch: ClipBatch) -> None:
    found = {"prediction": torch.ones(5, 32, 32), "muted": torch.zeros(5, 32, 32)}
    media = clip_media(batch, found, "test_clips/0")
    first, *rest = media["test_clips/0"]
    assert set(first._masks) == {"ground truth", "prediction", "muted"}
    assert [set(image._masks) for image in rest] == [{"prediction", "muted"}] * 4  # the other seconds have no label
    truth = np.asarray(Image.open(first._masks["ground truth"]._path))
    assert truth[:8].all()
    assert not truth[8:].any()
    assert np.asarray(Image.open(first._masks["prediction"]._path)).all()
    assert type(media["test_clips/0_sound"]).__name__ == "Audio"
    assert set(clip_media(batch, found, "test_clips/0", sound=False)) == {"test_clips/0"}
    batch.sound.waveform = None
    assert set(clip_media(batch, found, "test_clips/0")) == {"test_clips/0"}


def test_the_table_of_clips_shows_frames_masks_and_sound(run_folder: Path) -> None:
    clips = json.loads((run_folder / "clips" / "index.json").read_text())
    table = clip_table(run_folder / "clips", [*clips, {**clips[0], "id": "silent", "sound": None}])
    about = ["id", "category", "why", "silent seconds", "mIoU", "mIoU where it sounds", "F", "wrongly on"]
    assert table.columns == [*about, "second 1", "second 2", "sound"]
    shown, silent = table.data
    assert shown[:8] == ["07", "", "worst", 0, 0.25, None, 0.5, 0.1]
    assert set(shown[8]._masks) == {"ground truth", "prediction", "muted"}
    assert set(shown[9]._masks) == {"prediction", "muted"}
    mask = np.asarray(Image.open(shown[8]._masks["prediction"]._path))
    assert mask.shape == (8, 16)
    assert set(mask.flat) == {1}  # the class "sounding", not white
    assert type(shown[10]).__name__ == "Audio"
    assert silent[10] is None


def test_frames_in_which_nothing_sounds_say_so(batch: ClipBatch, run_folder: Path) -> None:
    batch.labels[0, 0] = 0
    panel = clip_media(batch, {}, "key")["key"]
    assert ["nothing sounds" in image._caption for image in panel] == [True] + [False] * 4  # those have no label
    clips = json.loads((run_folder / "clips" / "index.json").read_text())
    Image.new("1", (16, 8)).save(run_folder / "clips" / clips[0]["truth"][0])
    ((*about, first, second, _),) = clip_table(run_folder / "clips", clips).data
    assert about[3] == 1
    assert (first._caption, second._caption) == ("nothing sounds", None)


def test_categories_are_bars_from_the_best_on() -> None:
    clips = pd.DataFrame({"category": ["cat", "dog", "cat", ""], "miou": [0.2, 0.5, 0.4, 0.9]})
    assert category_chart(clips).table.data == [["dog", 0.5, 1], ["cat", pytest.approx(0.3), 2]]


def test_without_categories_there_is_no_chart_of_them(run_folder: Path) -> None:
    file = run_folder / "clips.csv"
    file.write_text(file.read_text().replace("dog", ""))
    run = Logged()
    log_clip_table(run, run_folder)
    assert set(run.rows[0]) == {"test_clips", "test_clips_all"}


def test_all_clips_keep_their_names_and_gaps(run_folder: Path) -> None:
    run = Logged()
    log_clip_table(run, run_folder)
    ((logged),) = run.rows
    assert set(logged) == {"test_clips", "test_clips_all", "scores/miou_by_category"}
    first, second = logged["test_clips_all"].data
    assert first[:2] == ["07", ""]
    assert second[:2] == ["nan", "dog"]
    assert np.isnan(first[-1])
    assert second[-1] == 0.25


def test_what_a_run_folder_lacks_is_left_out(tmp_path: Path) -> None:
    run = Logged()
    log_results(run, tmp_path)
    assert run.rows == []
    (tmp_path / "metrics.json").write_text(json.dumps({"name": "untested", "best": {"epoch": 3}}))
    log_results(run, tmp_path)
    assert run.rows == []
    assert run.summary == {"best/epoch": 3}


def test_charts_of_the_scores() -> None:
    scores = {
        sound: {"miou_frame": level, "miou_second_1": level, "miou_second_2": level / 2}
        for sound, level in (("true", 0.5), ("muted", 0.25))
    }
    charts = score_charts(scores)
    assert charts["scores/all"].columns == ["sound", "miou_frame", "miou_second_1", "miou_second_2"]
    assert charts["scores/all"].data == [["its own sound", 0.5, 0.5, 0.25], ["silence", 0.25, 0.25, 0.125]]
    assert charts["scores/miou_by_sound"].table.data == [["its own sound", 0.5], ["silence", 0.25]]
    lines = {tuple(row) for row in charts["scores/iou_by_second"].table.data}
    assert lines == {(1, "its own sound", 0.5), (2, "its own sound", 0.25), (1, "silence", 0.25), (2, "silence", 0.125)}


def test_tables_are_kept_with_the_run_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    with staged_in(tmp_path):
        assert os.environ["WANDB_DATA_DIR"] == str(tmp_path)
    assert "WANDB_DATA_DIR" not in os.environ
    monkeypatch.setenv("WANDB_DATA_DIR", "elsewhere")
    with staged_in(tmp_path):
        assert os.environ["WANDB_DATA_DIR"] == "elsewhere"
    assert os.environ["WANDB_DATA_DIR"] == "elsewhere"
