"""What a test leaves of its clips: clips.csv with the scores of each, clips/ with the best, worst and random ones."""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import soundfile
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from avs_lightning.data import Clip, collate_clips
from avs_lightning.data.pictures import denormalise
from avs_lightning.data.probes import mute
from avs_lightning.data.sound import Sound
from avs_lightning.files import write_whole
from avs_lightning.methods import SegmentationMethod
from avs_lightning.metrics import ClipScores
from avs_lightning.reporting.mask_files import write_labels
from avs_lightning.reporting.pictures import dataset_of, method_of, predict
from avs_lightning.run.names import CLASS_SCORES, CLIP_SCORES, CLIPS

JPEG_QUALITY = 85
FIGURES = ("miou", "miou_sounding", "fscore", "false_positive_rate")


class ClipRecords(Callback):
    """After a test, writes the scores of its clips with their own sound, and some clips as files.

    The run's folder gets clips.csv, and clips/ with index.json, see `write_clip`.

    Args:
        count: how many of each kind, see `choose_clips`; 0 for none.
    """

    def __init__(self, count: int = 4):
        self.count = count

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationMethod)
        if not trainer.is_global_zero:
            return
        loaders, root = trainer.test_dataloaders, Path(trainer.default_root_dir)
        dataset = dataset_of(loaders[0] if isinstance(loaders, list) else loaders, "callbacks.clips")
        scores = next(iter(pl_module.clip_scores.values()))
        write_clip_scores(root / CLIP_SCORES, dataset, scores)
        for by_class in list(pl_module.class_scores.values())[:1]:
            write_class_scores(root / CLASS_SCORES, pl_module.classes, by_class)
        folder, part = root / CLIPS, root / f"{CLIPS}.part"
        for earlier in (folder, part):
            shutil.rmtree(earlier, ignore_errors=True)
        if not self.count:
            return
        part.mkdir()
        entries = []
        for number, (row, why) in enumerate(choose_clips(scores, self.count).items()):
            entry = {"id": "", "category": "", "why": why, **_figures(scores, row)}
            clip = dataset[int(scores.indices[row])]
            entries.append(entry | write_clip(part, f"{number:02d}_{why}", clip, trainer))
        (part / "index.json").write_text(json.dumps(entries, indent=1) + "\n")
        part.replace(folder)  # whole, or not there


def write_clip_scores(path: Path, dataset: Any, scores: ClipScores) -> None:
    """Write a row a clip: id, category, sounding_seconds, `FIGURES`, miou_second_*; empty where there is none.

    The file is whole or not there.
    In a second that does not sound, miou_second_* is the share of rightly dark pixels.
    """
    seconds = [f"miou_second_{second + 1}" for second in range(scores.seconds.shape[1])]
    part = path.with_name(f"{path.name}.part")
    with part.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "category", "sounding_seconds", *FIGURES, *seconds])
        for row, index in enumerate(scores.indices.tolist()):
            clip, figures = dataset.clips[index], _figures(scores, row)
            values = [*figures.values(), *(_number(value) for value in scores.seconds[row])]
            table.writerow([clip.id, clip.category, int(scores.sounding[row].sum()), *values])
    part.replace(path)


def write_class_scores(path: Path, classes: Sequence[str], by_class: Mapping[str, Tensor]) -> None:
    """Write a row a class, in the order of its number: what `ClassCounts.by_class` returns; empty where it is NaN."""
    columns = {name: values.cpu().tolist() for name, values in by_class.items()}
    table = pd.DataFrame({"class": list(classes), **columns}).round(6)
    write_whole(path, table.to_csv(index=False))


def choose_clips(scores: ClipScores, count: int) -> dict[int, str]:
    """Choose rows: up to `count` clips of each kind; one that is not labelled never.

    Those that sound are ranked by the IoU of the frames that do, so that no network shines by staying dark. The random
    ones are drawn whatever the scores, so that every run over the same clips keeps the same and they can be compared.

    Returns:
        By row "worst" (from the worst on) or "best" (from the best on), of few clips a third each; "random", one that
        was drawn and is neither; "silent", one in which nothing sounds, from the one with the most pixels on.
    """
    ranked = _ascending(scores.miou_sounding)
    each = min(count, -(-len(ranked) // 3))
    chosen = dict.fromkeys(ranked[:each], "worst")
    chosen |= {row: "best" for row in ranked[::-1][:each] if row not in chosen}
    drawn = torch.randperm(len(ranked), generator=torch.Generator().manual_seed(0))[:count].tolist()
    chosen |= {row: "random" for row in (sorted(ranked)[place] for place in drawn) if row not in chosen}
    silent = _ascending(scores.miou.masked_fill(~scores.miou_sounding.isnan(), torch.nan))
    return chosen | dict.fromkeys(silent[:count], "silent")


def _ascending(values: Tensor) -> list[int]:
    """The places of what is no NaN, from the lowest value on."""
    order = torch.argsort(values.cpu().double(), stable=True)
    return [place for place in order.tolist() if not values[place].isnan()]


def write_clip(folder: Path, name: str, clip: Clip, trainer: pl.Trainer) -> dict[str, Any]:
    """Write a clip's frames (JPEG), true and predicted masks (PNG of the same size) and sound (MP3).

    Returns:
        "id", "category" and, by what they show, the names of the files in `folder`: "frames", "truth" (None where not
        labelled), "prediction", "muted" (the prediction without sound), and "sound" (None where the clip has none).
    """
    batch = collate_clips([clip])
    masks = {"prediction": predict(trainer, batch), "muted": predict(trainer, mute(batch))}
    classes = len(method_of(trainer).classes)

    def written(kind: str, second: int, labels: Tensor) -> str:
        file = f"{name}_{kind}_{second + 1}.png"
        write_labels(folder / file, labels.numpy(), classes)
        return file

    entry: dict[str, Any] = {"id": clip.id, "category": clip.category, "frames": [], "truth": []}
    for second, image in enumerate(denormalise(clip.images)):
        pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
        entry["frames"].append(f"{name}_{second + 1}.jpg")
        Image.fromarray(pixels).save(folder / entry["frames"][-1], quality=JPEG_QUALITY)
        entry["truth"].append(written("truth", second, clip.labels[second]) if clip.labelled[second] else None)
    for kind, shown in masks.items():
        entry[kind] = [written(kind, second, labels) for second, labels in enumerate(shown)]
    return entry | {"sound": _write_sound(folder, name, clip.sound)}


def _write_sound(folder: Path, name: str, sound: Sound) -> str | None:
    if sound.waveform is None:
        return None
    suffix = "mp3" if "MP3" in soundfile.available_formats() else "wav"
    soundfile.write(folder / f"{name}.{suffix}", sound.waveform.clamp(-1, 1).numpy(), sound.rate, format=suffix.upper())
    return f"{name}.{suffix}"


def _figures(scores: ClipScores, row: int) -> dict[str, float | None]:
    return {name: _number(getattr(scores, name)[row]) for name in FIGURES}


def _number(value: Tensor) -> float | None:
    return None if value.isnan() else round(value.item(), 6)
