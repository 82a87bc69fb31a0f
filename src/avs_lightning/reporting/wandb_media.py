"""What W&B shows of a run beside its curves: clips with masks and sound, tables of clips, charts of the test scores."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from avs_lightning.data import BINARY, ClipBatch
from avs_lightning.data.pictures import denormalise
from avs_lightning.data.sound_names import SOUNDS
from avs_lightning.reporting.mask_files import read_labels
from avs_lightning.run import Run
from avs_lightning.run.names import CLASS_SCORES, CLIP_INDEX, CLIP_SCORES

MASKS = {"ground truth": "truth", "prediction": "prediction", "muted": "muted"}  # our names: those of clips/index.json
SCORES = {"mIoU": "miou", "mIoU where it sounds": "miou_sounding", "F": "fscore", "wrongly on": "false_positive_rate"}
PROTOCOL = "frame"


def clip_media(
    batch: ClipBatch, predictions: Mapping[str, Tensor], key: str, sound: bool = True, classes: Sequence[str] = BINARY
) -> dict[str, Any]:
    """Return what `run.log` takes of one clip: its frames, in order, with masks to switch on and off, and its sound.

    Args:
        batch: a batch of one clip.
        predictions: labels [T, H, W] by the name of their mask.
        key: the panel; logged again later, it has a slider over the epochs. The sound is at `<key>_sound`.
        sound: with the sound, where the batch has one.
        classes: by name.
    """
    import wandb

    images = denormalise(batch.images[0, : batch.lengths[0]].cpu().float())
    frames = (images.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    panel = []
    for second, frame in enumerate(frames):
        masks = {name: found[second].numpy() for name, found in predictions.items()}
        if batch.labelled[0, second]:
            masks = {"ground truth": batch.labels[0, second].cpu().numpy(), **masks}
        panel.append(with_masks(frame, masks, classes, f"{batch.ids[0]}, second {second + 1}"))
    media: dict[str, Any] = {key: panel}
    if sound and batch.sound.waveform is not None:
        waveform = batch.sound.waveform[0].cpu().numpy()
        media[f"{key}_sound"] = wandb.Audio(waveform, sample_rate=batch.sound.rate, caption=batch.ids[0])
    return media


def with_masks(
    frame: np.ndarray | Path, masks: Mapping[str, np.ndarray], classes: Sequence[str], caption: str | None = None
) -> Any:
    """Return a `wandb.Image` of a frame (RGB of bytes, or its file) with masks of labels [H, W] over it.

    Its caption says so where nothing sounds in the "ground truth".
    """
    import wandb

    if "ground truth" in masks and not masks["ground truth"].any():
        caption = ", ".join(filter(None, (caption, "nothing sounds")))
    names = dict(enumerate(classes))
    over = {name: {"mask_data": mask.astype(np.uint8), "class_labels": names} for name, mask in masks.items()}
    return wandb.Image(str(frame) if isinstance(frame, Path) else frame, caption=caption, masks=over or None)


def log_results(run: Any, folder: Path, checkpoint: Path | None = None) -> None:
    """Log what a run folder holds at the end of the run: scores, cost and test clips. What it lacks is left out.

    Args:
        run: the `wandb.Run`.
        folder: the run folder.
        checkpoint: goes to W&B, too, as the artifact model-RUN:best.
    """
    with staged_in(folder / "wandb"):
        log_scores(run, folder)
        log_clip_table(run, folder)
        if checkpoint and checkpoint.exists():
            log_checkpoint(run, checkpoint)


def log_checkpoint(run: Any, checkpoint: Path) -> None:
    """Log a checkpoint as an artifact of type "model" with the alias "best"; a copy waits with the run for upload."""
    import wandb

    artifact = wandb.Artifact(f"model-{run.id}", type="model")
    artifact.add_file(str(checkpoint))
    run.log_artifact(artifact, aliases=["best"])


def log_scores(run: Any, folder: Path) -> None:
    """Log the best epoch and the cost as summary values, and charts of the scores by sound and by second."""
    results = Run(folder).results
    summary = {"best": results.best, "cost": results.cost}
    run.summary.update({f"{part}/{name}": value for part, values in summary.items() for name, value in values.items()})
    if results.scores:
        run.log(score_charts(results.scores))


def score_charts(scores: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return a table of all scores, the mIoU by sound as bars, and the IoU by second as a line a sound.

    Args:
        scores: per set of sounds ("true" and the probes) the scores by `metric_protocol`.
    """
    import wandb

    names = list(next(iter(scores.values())))
    labelled = {SOUNDS.get(sound, sound): row for sound, row in scores.items()}
    charts: dict[str, Any] = {
        "scores/all": wandb.Table(["sound", *names], [[sound, *map(row.get, names)] for sound, row in labelled.items()])
    }
    main = f"miou_{PROTOCOL}"
    if main in names:
        table = wandb.Table(["sound", main], [[sound, row[main]] for sound, row in labelled.items()])
        title = f"mIoU by sound (protocol {PROTOCOL})"
        charts["scores/miou_by_sound"] = wandb.plot.bar(table, "sound", main, title, split_table=True)
    seconds = [name for name in names if name.startswith("miou_second_")]
    if seconds:
        lines = [[row.get(name) for name in seconds] for row in labelled.values()]
        charts["scores/iou_by_second"] = wandb.plot.line_series(
            list(range(1, len(seconds) + 1)), lines, list(labelled), "IoU by second of the clip", "second", True
        )
    return charts


def log_clip_table(run: Any, folder: Path) -> None:
    """Log the clips of `folder`/clips/index.json with frames, masks and sound, and the scores in clips.csv of all.

    Those of clips.csv by category, too, where clips have categories (S4), and the scores of each class where there are
    more than two.
    """
    import wandb

    tables = {}
    index, every, by_class = folder / CLIP_INDEX, folder / CLIP_SCORES, folder / CLASS_SCORES
    classes: Sequence[str] = BINARY
    if by_class.exists():
        table = pd.read_csv(by_class, dtype={"class": str}, keep_default_na=False, na_values={"iou": "", "fscore": ""})
        classes = list(table["class"])
        tables["scores/by_class"] = wandb.Table(dataframe=table)
    if index.exists():
        tables["test_clips"] = clip_table(index.parent, json.loads(index.read_text()), classes)
    if every.exists():
        rows = pd.read_csv(every, dtype={"id": str, "category": str}, keep_default_na=False)
        scores = [str(name) for name in rows.columns if name not in ("id", "category")]
        rows[scores] = rows[scores].apply(pd.to_numeric, errors="coerce")  # empty where a second is not labelled
        tables["test_clips_all"] = wandb.Table(dataframe=rows)
        if (rows["category"] != "").any():
            tables["scores/miou_by_category"] = category_chart(rows)
    if tables:
        run.log(tables)


def category_chart(clips: pd.DataFrame) -> Any:
    """Return the mIoU by category as bars, from the best on.

    Args:
        clips: a row a clip: "category" and "miou".
    """
    import wandb

    by_category = clips[clips["category"] != ""].groupby("category")["miou"]
    means = pd.DataFrame({"miou": by_category.mean(), "clips": by_category.size()}).sort_values("miou", ascending=False)
    rows = [[name, row["miou"], int(row["clips"])] for name, row in means.iterrows()]
    table = wandb.Table(["category", "mIoU", "clips"], rows)
    return wandb.plot.bar(table, "category", "mIoU", "mIoU by category (mean over its clips)", split_table=True)


def clip_table(folder: Path, clips: list[dict[str, Any]], classes: Sequence[str] = BINARY) -> Any:
    """Return a `wandb.Table` of clips: a row a clip, its scores, a column a second of frame and masks, its sound.

    Args:
        folder: where the files lie.
        clips: entries of clips/index.json.
        classes: by name.
    """
    import wandb

    seconds = max((len(clip["frames"]) for clip in clips), default=0)
    columns = [f"second {second + 1}" for second in range(seconds)]
    about = ["id", "category", "why", "silent seconds", *SCORES]
    table = wandb.Table([*about, *columns, "sound"], allow_mixed_types=True)
    for clip in clips:
        cells: list[Any] = [None] * seconds
        silent = 0
        for second, frame in enumerate(clip["frames"]):
            files = {name: (clip.get(key) or [])[second : second + 1] for name, key in MASKS.items()}
            masks = {name: read_labels(folder / f[0]) for name, f in files.items() if f and f[0]}
            silent += "ground truth" in masks and not masks["ground truth"].any()
            cells[second] = with_masks(folder / frame, masks, classes)
        scores = [clip.get(name) for name in SCORES.values()]
        sound = wandb.Audio(str(folder / clip["sound"]), caption=clip["id"]) if clip.get("sound") else None
        table.add_data(clip["id"], clip["category"], clip["why"], silent, *scores, *cells, sound)
    return table


@contextmanager
def staged_in(folder: Path) -> Iterator[None]:
    """Let W&B keep a table's files in `folder`, with the run, until they are uploaded; its default is the user's home.

    WANDB_DATA_DIR is stronger.
    """
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
