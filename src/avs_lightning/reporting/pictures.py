"""Pictures of fixed clips: what is seen, heard, true and predicted, second by second."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from avs_lightning.data import BINARY, ClipBatch, ClipDataset, collate_clips
from avs_lightning.data.pictures import denormalise
from avs_lightning.data.probes import mute
from avs_lightning.errors import UserError
from avs_lightning.methods import SegmentationMethod
from avs_lightning.reporting.palette import PREDICTION, TRUTH, class_colours, tinted
from avs_lightning.reporting.wandb_media import clip_media
from avs_lightning.run.names import PICTURES

TILE, GAP, MARGIN, SWATCH, DPI = 160, 8, 24, 168, 100  # pixels, and their number an inch
MIN_TILES = 3  # that the title needs


class ClipPictures(Callback):
    """Draws fixed, evenly spread clips of a split to pictures/ in the run's folder, and to W&B.

    Args:
        clips: how many clips.
        every_n_epochs: how often during training; testing always draws.
    """

    def __init__(self, clips: int = 4, every_n_epochs: int = 5):
        self.clips = clips
        self.every_n_epochs = every_n_epochs
        self.heard: set[str] = set()  # a clip's sound stays what it is, and is logged once

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        self._draw(trainer, trainer.val_dataloaders, "val", f"val_epoch_{trainer.current_epoch + 1:03d}")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationMethod)
        loaders = trainer.test_dataloaders
        own_sound = loaders[0] if isinstance(loaders, list) else loaders
        self._draw(trainer, own_sound, next(iter(pl_module.test_scores)), "test")

    def _draw(self, trainer: pl.Trainer, loader: Any, split: str, name: str) -> None:
        if not trainer.is_global_zero:
            return
        dataset, folder = dataset_of(loader, "callbacks.pictures"), Path(trainer.default_root_dir) / PICTURES
        chosen = np.unique(np.linspace(0, len(dataset) - 1, self.clips).round().astype(int))
        for number, index in enumerate(chosen):
            batch = collate_clips([dataset[int(index)]])
            found = {"prediction": predict(trainer, batch), "muted": predict(trainer, mute(batch))}
            classes = method_of(trainer).classes
            folder.mkdir(parents=True, exist_ok=True)
            draw_clip(batch, found, folder / f"{name}_{number}.png", classes)
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    key = f"{split}_clips/{number}"  # one panel, whichever the epoch and whichever the run
                    media = clip_media(batch, found, key, sound=key not in self.heard, classes=classes)
                    logger.experiment.log(media, commit=False)  # goes into the row of this epoch's scores
                    self.heard.add(key)


def method_of(trainer: pl.Trainer) -> SegmentationMethod:
    """Return the method that a trainer works on."""
    assert isinstance(trainer.lightning_module, SegmentationMethod)
    return trainer.lightning_module


def dataset_of(loader: Any, setting: str) -> ClipDataset:
    """Return the clips behind a data loader, one by one.

    Args:
        loader: of batches.
        setting: of the callback that wants them.

    Raises:
        UserError: they are not those of a `ClipDataset`.
    """
    if not isinstance(loader.dataset, ClipDataset):
        raise UserError(
            f"{setting} shows the clips of a ClipDataset, and the data loader has a {type(loader.dataset).__name__}: "
            f"go without this callback ({setting}=null)"
        )
    return loader.dataset


@torch.no_grad()
def predict(trainer: pl.Trainer, batch: ClipBatch) -> Tensor:
    """Return the predicted labels [T, H, W] of a batch of one clip, on the CPU, in the precision of the scores.

    Args:
        trainer: runs its method as in an evaluation step; the method's mode stays what it was.
        batch: as a data loader gives it.
    """
    method, precision = method_of(trainer), trainer.precision_plugin
    given = trainer.strategy.batch_to_device(precision.convert_input(batch))
    training = method.training
    with precision.test_step_context():
        out = method.eval()(given)
    method.train(training)
    return out.labels[0].cpu()


def draw_clip(batch: ClipBatch, predictions: dict[str, Tensor], path: Path, classes: Sequence[str] = BINARY) -> None:
    """Draw one clip as a PNG: a column a second; rows frame, spectrogram, ground truth and each prediction.

    Below them stand the colours of the classes that occur, where there are several.

    Args:
        batch: a batch of one clip.
        predictions: labels [T, H, W] by the name of their row.
        path: the file to write.
        classes: by name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    seconds = batch.lengths[0]
    images = as_rgb(batch.images[0, :seconds])
    masks: dict[str, list[Tensor | None]] = {"ground truth": ground_truth(batch)}
    masks |= {name: list(labels[:seconds]) for name, labels in predictions.items()}
    shown_labels = [labels for row in masks.values() for labels in row if labels is not None]
    legend = classes_in(shown_labels, classes) if len(classes) > 2 else []
    rows = ["frame", "log-mel", *masks]
    width = MARGIN + max(len(images), MIN_TILES) * (TILE + GAP)
    below = 2 * MARGIN + len(rows) * (TILE + GAP)
    columns = (width - MARGIN) // SWATCH
    height = below + MARGIN * -(-len(legend) // columns)
    figure = Figure(figsize=(width / DPI, height / DPI))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))  # in pixels: laying out axes takes a second
    axes.set_axis_off()

    def show(row: int, second: int, picture: np.ndarray, text: str = "", **options: Any) -> None:
        x, y = MARGIN + second * (TILE + GAP), 2 * MARGIN + row * (TILE + GAP)
        axes.imshow(picture, extent=(x, x + TILE, y + TILE, y), aspect="auto", **options)
        axes.text(x + TILE / 2, y + TILE / 2, text, color="white", ha="center", va="center", fontsize=10)

    patches = batch.sound.patches(batch.images.shape[1])[0, :seconds, 0].cpu().numpy()
    heat: dict[str, Any] = {"cmap": "magma", "vmin": patches.min(), "vmax": patches.max() + 1e-6}
    for second, image in enumerate(images):
        x = MARGIN + second * (TILE + GAP) + TILE / 2
        axes.text(x, 1.7 * MARGIN, f"second {second + 1}", ha="center", va="center", fontsize=9)
        show(0, second, image)
        show(1, second, patches[second].T[::-1], **heat)
        for row, (name, shown) in enumerate(masks.items(), start=2):
            mask, is_truth = shown[second], name == "ground truth"
            text = "no label" if mask is None else "silent" if is_truth and not mask.any() else ""
            colours = class_colours(len(classes), TRUTH if is_truth else PREDICTION)
            show(row, second, tinted(image, None if mask is None else mask.numpy(), colours), text)
    for row, name in enumerate(rows):
        y = 2 * MARGIN + row * (TILE + GAP) + TILE / 2
        axes.text(MARGIN / 2, y, name, rotation=90, ha="center", va="center", fontsize=10)
    for place, number in enumerate(legend):
        x, y = MARGIN + place % columns * SWATCH, below + MARGIN * (place // columns + 0.4)
        colour = np.asarray(class_colours(len(classes))[number]) / 255
        axes.add_patch(Rectangle((x, y - 6), 12, 12, color=colour))
        axes.text(x + 18, y, classes[number], ha="left", va="center", fontsize=9, parse_math=False)
    title = batch.ids[0] + (f" ({batch.categories[0]})" if batch.categories[0] else "")
    axes.text(width / 2, 0.7 * MARGIN, title, ha="center", va="center", fontsize=10, parse_math=False)
    axes.set(xlim=(0, width), ylim=(height, 0))
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI)


def ground_truth(batch: ClipBatch) -> list[Tensor | None]:
    """Return the labels [H, W] of each second that a batch's one clip has, None where it carries none."""
    labels, labelled = batch.labels[0, : batch.lengths[0]].cpu(), batch.labelled[0]
    return [mask if known else None for mask, known in zip(labels, labelled)]


def classes_in(labels: Iterable[Tensor], classes: Sequence[str]) -> list[int]:
    """Return the numbers of the classes that occur in any of several label maps, without the background."""
    occurring = {int(number) for mask in labels for number in mask.unique()}
    return [number for number in range(1, len(classes)) if number in occurring]


def as_rgb(images: Tensor) -> np.ndarray:
    """Return normalised images [T, 3, H, W] as RGB in [0, 1], [T, H, W, 3]."""
    return denormalise(images.cpu().float()).permute(0, 2, 3, 1).numpy()
