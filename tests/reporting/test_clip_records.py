"""What a test leaves of its clips: read back from the files, it is what was scored."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor

from avs_lightning.data import ClipBatch, MultiSourceDataset, collate_clips
from avs_lightning.methods import SegmentationMethod
from avs_lightning.metrics import ClipScores
from avs_lightning.models import NetworkOutput
from avs_lightning.reporting.clip_records import ClipRecords, choose_clips

CLIPS = 10


class Painter(SegmentationMethod):
    """Paints more rows the later the clip; nothing where it hears nothing."""

    def __init__(self) -> None:
        super().__init__({"name": "adam", "lr": 1e-3})

    def forward(self, batch: ClipBatch) -> NetworkOutput:
        rows = torch.arange(32).view(1, 1, 1, 32, 1)
        heard = batch.sound.patches(5)
        painted = (rows < 2 + 2 * batch.indices.view(-1, 1, 1, 1, 1)) & (heard.max() > heard.min())
        return NetworkOutput(torch.where(painted, 9.0, -9.0).expand_as(batch.labels.unsqueeze(2)))

    def losses(self, out: NetworkOutput, batch: ClipBatch) -> dict[str, Tensor]:
        return {}


def record(folder: Path, dataset: Any, count: int, first: bool = True) -> None:
    """Score the data set's clips and hand them to the callback, as a test does."""
    method: Any = Painter()
    for index in range(len(dataset)):
        method.test_step(collate_clips([dataset[index]]), index)
    method.clip_scores["test"] = method.test_scores["test"].per_clip()
    records = ClipRecords(count)
    loaders = [SimpleNamespace(dataset=dataset), SimpleNamespace(dataset=None)]
    strategy = SingleDeviceStrategy()
    trainer: Any = SimpleNamespace(
        is_global_zero=first,
        default_root_dir=str(folder),
        test_dataloaders=loaders,
        lightning_module=method,
        strategy=strategy,
        precision_plugin=strategy.precision_plugin,
    )
    records.on_test_end(trainer, method)


@pytest.fixture
def dataset(official_ms3: Callable, tmp_path: Path) -> MultiSourceDataset:
    return MultiSourceDataset(official_ms3(tmp_path / "data", test=CLIPS), "test", image_size=32)


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "clips.csv").open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def mask(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "1"
        return np.asarray(picture)


def test_the_files_show_what_was_scored(dataset: MultiSourceDataset, tmp_path: Path) -> None:
    record(tmp_path, dataset, count=2)
    rows, folder = rows_of(tmp_path), tmp_path / "clips"
    assert list(rows) == [clip.id for clip in dataset.clips]
    entries = json.loads((folder / "index.json").read_text())
    ranked = sorted(rows, key=lambda name: float(rows[name]["miou"]))
    assert [e["id"] for e in entries[:4]] == [*ranked[:2], *ranked[:-3:-1]]
    assert [e["why"] for e in entries[:4]] == ["worst", "worst", "best", "best"]
    assert {row["sounding_seconds"] for row in rows.values()} == {"5"}
    assert len({e["id"] for e in entries}) == len(entries)
    assert {path.name for path in folder.iterdir()} - {"index.json"} == {
        name for e in entries for kind in ("frames", "truth", "prediction", "muted") for name in e[kind]
    } | {e["sound"] for e in entries}
    places = {clip.id: index for index, clip in enumerate(dataset.clips)}
    for entry in entries:
        row, clip = rows[entry["id"]], dataset[places[entry["id"]]]
        for name in ("miou", "fscore", "false_positive_rate"):
            assert entry[name] == float(row[name])
        ious = []
        for second in range(5):
            truth, found = (mask(folder / entry[kind][second]) for kind in ("truth", "prediction"))
            assert np.array_equal(truth, clip.labels[second].numpy() > 0)
            ious.append((truth & found).sum() / (truth | found).sum())
            assert ious[-1] == pytest.approx(float(row[f"miou_second_{second + 1}"]), abs=1e-5)
            assert found.any()
            assert not mask(folder / entry["muted"][second]).any()
            with Image.open(folder / entry["frames"][second]) as frame:
                assert (frame.format, frame.size) == ("JPEG", (32, 32))
        assert np.mean(ious) == pytest.approx(float(row["miou"]), abs=1e-5)
        samples, rate = soundfile.read(folder / entry["sound"])
        assert entry["sound"].endswith(".mp3")
        assert len(samples) / rate == pytest.approx(5, abs=0.2)


def test_frames_have_their_colours(dataset: MultiSourceDataset, tmp_path: Path) -> None:
    for clip in dataset.clips:
        for second, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]):
            Image.new("RGB", (32, 32), colour).save(dataset.layout.frame(clip, second))
    record(tmp_path, dataset, count=1)
    entry = json.loads((tmp_path / "clips" / "index.json").read_text())[0]
    seen = [np.asarray(Image.open(tmp_path / "clips" / name)).mean((0, 1)) for name in entry["frames"]]
    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]
    np.testing.assert_allclose(seen, expected, atol=3)


def test_clips_without_waveform_have_no_sound(official_ms3: Callable, tmp_path: Path) -> None:
    root = official_ms3(tmp_path / "data", test=1, audio="log_mel")
    record(tmp_path, MultiSourceDataset(root, "test", image_size=32), count=4)
    (entry,) = json.loads((tmp_path / "clips" / "index.json").read_text())
    assert entry["sound"] is None
    assert not list((tmp_path / "clips").glob("*.mp3"))


def test_wav_where_mp3_cannot_be_written(
    dataset: MultiSourceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    record(tmp_path, dataset, count=1)
    entry = json.loads((tmp_path / "clips" / "index.json").read_text())[0]
    assert entry["sound"].endswith(".wav")
    samples, _ = soundfile.read(tmp_path / "clips" / entry["sound"])
    assert len(samples) == 80_000


def test_frames_that_are_not_labelled(official_s4: Callable, tmp_path: Path) -> None:
    from avs_lightning.data import SingleSourceDataset

    dataset = SingleSourceDataset(official_s4(tmp_path / "data", train=2), "train", image_size=32)
    record(tmp_path, dataset, count=1)
    entry = json.loads((tmp_path / "clips" / "index.json").read_text())[0]
    assert entry["truth"][0]
    assert entry["truth"][1:] == [None] * 4
    assert entry["category"] in ("cat_meowing", "race_car")
    row = rows_of(tmp_path)[entry["id"]]
    assert [bool(row[f"miou_second_{second}"]) for second in range(1, 6)] == [True] + [False] * 4


def test_a_second_test_leaves_nothing_of_the_first(dataset: MultiSourceDataset, tmp_path: Path) -> None:
    record(tmp_path, dataset, count=2)
    record(tmp_path, dataset, count=1)
    assert len(json.loads((tmp_path / "clips" / "index.json").read_text())) == 3
    assert len(list((tmp_path / "clips").glob("*.mp3"))) == 3
    record(tmp_path, dataset, count=0)
    assert not (tmp_path / "clips").exists()
    assert len(rows_of(tmp_path)) == CLIPS


def test_the_first_process_writes(dataset: MultiSourceDataset, tmp_path: Path) -> None:
    record(tmp_path, dataset, count=1, first=False)
    assert not (tmp_path / "clips.csv").exists()


def scores_of(sounding: Tensor, ious: Tensor) -> ClipScores:
    """Scores [n] of clips of two seconds, of which the first sounds where `sounding` [n], the second never."""
    sounds = torch.stack([sounding, torch.zeros_like(sounding)], 1)
    miou_sounding = ious.masked_fill(~sounding, torch.nan)
    filled = ious.clone()
    return ClipScores(
        torch.arange(len(ious)), sounds, filled, miou_sounding, filled, filled, ious[:, None].repeat(1, 2)
    )


@pytest.mark.parametrize("clips, worst, best", [(1, 1, 0), (3, 1, 1), (5, 2, 2), (12, 4, 4)])
def test_few_clips_are_shared_out(clips: int, worst: int, best: int) -> None:
    chosen = list(choose_clips(scores_of(torch.ones(clips).bool(), torch.linspace(0, 1, clips)), 4).values())
    assert [chosen.count(why) for why in ("worst", "best")] == [worst, best]
    assert len(chosen) == min(clips, worst + best + chosen.count("random"))
    assert chosen.count("random") <= 4


def test_clips_in_which_nothing_sounds_are_ranked_apart() -> None:
    sounding = torch.arange(40) % 2 == 1
    scores = scores_of(sounding, torch.linspace(0, 1, 40))
    chosen = choose_clips(scores, 4)
    kinds = {kind: [row for row, why in chosen.items() if why == kind] for kind in ("worst", "best", "silent")}
    assert kinds == {"worst": [1, 3, 5, 7], "best": [39, 37, 35, 33], "silent": [0, 2, 4, 6]}
    assert all(row % 2 for row, why in chosen.items() if why == "random")


def test_staying_dark_while_most_is_silent_is_not_best() -> None:
    """A clip that sounds for one second in five scores 80 % without a single sounding pixel found."""
    scores = scores_of(torch.ones(6).bool(), torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]))
    scores.miou[0] = 0.8
    chosen = choose_clips(scores, 1)
    assert (chosen[0], chosen[5]) == ("worst", "best")


def test_every_run_over_the_same_clips_keeps_the_same_random_ones() -> None:
    everything = torch.ones(60).bool()
    runs = [choose_clips(scores_of(everything, torch.rand(60)), 4) for _ in range(5)]
    assert len(set.intersection(*(set(chosen) for chosen in runs))) >= 4
    assert len(choose_clips(scores_of(everything, torch.full((60,), torch.nan)), 4)) == 0
