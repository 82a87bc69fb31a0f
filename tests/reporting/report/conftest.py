"""Generated run folders as a training leaves them, and a browser without network."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from PIL import Image, ImageDraw

from avs_lightning.reporting.report import Report, ReportRun

PROBES = {"true": 1.0, "muted": 0.2, "noise": 0.3, "swapped": 0.45, "offscreen": 0.4, "permuted": 0.7}
SIDE = 96
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def run_folder(tmp_path: Path) -> Callable[..., Path]:
    """`run_folder(name, miou=0.5, clips=2, ...)` writes a finished run's folder and returns it."""

    def write(name: str, **options: Any) -> Path:
        return write_run(tmp_path / "cells" / name, **options)

    return write


@pytest.fixture
def study(run_folder: Callable[..., Path]) -> Callable[..., Report]:
    """`study(cells=4)` writes cells of growing mIoU (10 %, 20 % ...) and a last one that was never started."""

    def write(cells: int = 4, name: str = "cell", **options: Any) -> Report:
        runs = []
        for index in range(cells):
            parameters = {"encoder": ("resnet", "pvt")[index % 2], "stages": ("4", "34", "1234")[index // 2 % 3]}
            label = f"cell {' '.join(parameters.values())} no {index}"
            folder = run_folder(f"{name}{index}", miou=0.1 * (index + 1), number=index, **parameters, **options)
            runs.append(ReportRun(label, parameters, 0, "done", folder))
        parameters = {"encoder": "pvt", "stages": "none"}
        runs.append(ReportRun("not yet", parameters, 0, "blocked", Path("nowhere"), "its parent failed"))
        return Report(
            "A study", "Does it *hear*?\n\nSecond paragraph.", {"data set": "made up"}, runs, protocol="frame"
        )

    return write


@pytest.fixture
def hostile_study(study: Callable[..., Report]) -> Report:
    """A study in which every text is an attack."""
    report = study(cells=2, clips=1, category=HOSTILE)
    for run in report.runs[:2]:
        entries = json.loads((run.folder / "clips" / "index.json").read_text())
        entries[0]["id"] = entries[0]["why"] = HOSTILE
        (run.folder / "clips" / "index.json").write_text(json.dumps(entries))
        metrics = json.loads((run.folder / "metrics.json").read_text())
        metrics["scores"][HOSTILE] = {"miou_frame": 0.1}
        metrics["fingerprint"] = HOSTILE + run.name
        (run.folder / "metrics.json").write_text(json.dumps(metrics))
        (run.folder / "config.yaml").write_text(f"'{HOSTILE}': {run.seed}\nx: {json.dumps(HOSTILE + run.name)}\n")
    runs = []
    for number, run in enumerate(report.runs):
        axes, state = {HOSTILE: f"{HOSTILE}{number}"}, HOSTILE if number else "done"
        runs.append(replace(run, name=HOSTILE, parameters=axes, note=HOSTILE, state=state))
    question = f"{HOSTILE}\n\n![x](http://example.org/x.png) [x](javascript:alert(3))"
    return Report(HOSTILE, question, {HOSTILE: HOSTILE}, runs, [], [HOSTILE], "miou", "frame")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, or a skip that says what is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def write_run(
    folder: Path, miou: float = 0.5, number: int = 0, clips: int = 2, encoder: str = "resnet", stages: str = "4",
    category: str = "cat_meowing", epochs: int = 5, seed: int = 0,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True)
    minutes = number + 1
    scores = {}
    for sound, share in PROBES.items():
        value = miou * share
        scores[sound] = {f"miou_{protocol}": value for protocol in ("reference", "frame", "dataset")}
        scores[sound] |= {f"fscore_{protocol}": min(1.0, value + 0.1) for protocol in ("reference", "frame", "dataset")}
        scores[sound] |= {"false_positive_rate": 0.1 * (1 - value)}
        scores[sound] |= {f"miou_second_{second}": value * (0.8 + 0.08 * second) for second in range(1, 6)}
    metrics = {
        "name": folder.name, "data": "ms3", "epochs": epochs, "steps": 10 * epochs, "train_seconds": 60.0 * minutes,
        "scores": scores, "fingerprint": "0123456789ab", "code": {"version": "0.1.0", "sources": "abcdefabcdef"},
        "best": {"epoch": epochs, "val_miou_frame": miou},
        "cost": {
            "parameters": 1_000_000 * (9 + number), "trained_parameters": 1_000_000, "train_seconds": 60.0 * minutes,
            "clips_per_second": 100.0 / minutes, "peak_memory_mib": 900.0 + 100 * number, "device": "cpu",
        },
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(metrics))
    environment = {"started": "2026-01-01T00:00:00+00:00", "python": "3.11", "packages": {"torch": "2"}, "gpus": []}
    environment |= {"command": ["avs", "train", "fusion=[a b]"]}
    (folder / "run.log").write_text("the beginning\nthe end\n")
    (folder / "environment.json").write_text(json.dumps(environment))
    config = {
        "name": folder.name, "seed": seed, "paths": {"output_dir": str(folder)}, "data": {"root": f"/data/{number}"},
        "encoder": {"name": encoder}, "fusion": {"stages": [int(stage) for stage in stages]},
        "method": {"network": {"encoder": encoder}}, "trainer": {"max_epochs": epochs},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    log = [["step", "epoch", "train/loss_epoch", "train/loss_step", "val/miou_frame", "val/fscore_dataset"]]
    for epoch in range(epochs):
        done = (epoch + 1) / epochs
        log.append([str(10 * epoch + 5), str(epoch), "", str(1 - done / 2), "", ""])
        log.append(
            [str(10 * epoch + 9), str(epoch), str(1.2 - done * miou), "", str(miou * done**0.5), str(miou * done)]
        )
    write_csv(folder / "metrics.csv", log)
    write_clips(folder, miou, clips, category)
    return folder


def write_csv(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def write_clips(folder: Path, miou: float, count: int, category: str) -> None:
    """`count` clips each of the worst, random and best: frames of SIDE x SIDE pixels and an MP3 of five seconds."""
    (folder / "clips").mkdir()
    rows = [["id", "category", "miou", "fscore", "false_positive_rate", *(f"miou_second_{s}" for s in range(1, 6))]]
    index = []
    for number in range(3 * count):
        why, score = ("worst", "random", "best")[number // count], min(1.0, miou * (0.5 + number / (3 * count)))
        name = f"clip{number}"
        kind = category if number % 2 else "race_car"
        rows.append([name, kind, str(score), str(score), "0.05", *[str(score)] * 5])
        entry: dict[str, Any] = {"id": name, "category": kind, "why": why, "miou": score, "fscore": score}
        entry |= {"false_positive_rate": 0.05, "sound": f"{name}.mp3"}
        for mask in ("frames", "truth", "prediction", "muted"):
            entry[mask] = [f"{name}_{mask}_{second}.{'jpg' if mask == 'frames' else 'png'}" for second in range(5)]
        for second in range(5):
            write_second(folder / "clips", entry, number, second)
        write_sound(folder / "clips" / f"{name}.mp3", number)
        index.append(entry)
    write_csv(folder / "clips.csv", rows)
    (folder / "clips" / "index.json").write_text(json.dumps(index))


def write_second(folder: Path, entry: dict[str, Any], number: int, second: int) -> None:
    left = 10 + 9 * second
    boxes = {"truth": (left, 30, left + 35, 65), "prediction": (left + 4, 34, left + 41, 69), "muted": (60, 5, 90, 30)}
    frame = Image.fromarray(
        np.linspace((40 + 25 * number, 70, 90), (190, 170, 120), SIDE).astype(np.uint8)[:, None].repeat(SIDE, 1)
    )
    drawn = ImageDraw.Draw(frame)
    drawn.ellipse(boxes["truth"], fill=(200, 60 + 20 * number, 60))
    drawn.rectangle(boxes["muted"], fill=(60, 60, 160))
    frame.save(folder / entry["frames"][second], quality=85)
    for name, box in boxes.items():
        mask = Image.new("1", (SIDE, SIDE))
        ImageDraw.Draw(mask).ellipse(box, fill=1)
        mask.save(folder / entry[name][second])


def write_sound(path: Path, number: int) -> None:
    seconds = np.arange(5 * 16_000) / 16_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * (220 + 60 * number) * seconds), 16_000, format="MP3")
