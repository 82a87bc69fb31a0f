"""Pictures of fixed clips: what is seen, heard, true and predicted, second by second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from avs_lightning.data import ClipBatch, collate_clips
from avs_lightning.data.pictures import denormalise
from avs_lightning.data.probes import mute
from avs_lightning.methods import SegmentationMethod
from avs_lightning.reporting.wandb_media import clip_media


class ClipPictures(Callback):
    """Draws fixed, evenly spread clips of a split to the run's folder and to W&B.

    Args:
        folder: where the PNG files go.
        clips: how many clips.
        every_n_epochs: how often during training; testing always draws.
    """

    def __init__(self, folder: Path, clips: int = 4, every_n_epochs: int = 5):
        self.folder = folder
        self.clips = clips
        self.every_n_epochs = every_n_epochs
        self.heard: set[str] = set()  # a clip's sound stays what it is, and is logged once

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        self._draw(trainer, pl_module, trainer.val_dataloaders, "val", f"val_epoch_{trainer.current_epoch + 1:03d}")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationMethod)
        loaders = trainer.test_dataloaders
        own_sound = loaders[0] if isinstance(loaders, list) else loaders
        self._draw(trainer, pl_module, own_sound, next(iter(pl_module.test_scores)), "test")

    def _draw(self, trainer: pl.Trainer, method: pl.LightningModule, loader: Any, split: str, name: str) -> None:
        if not trainer.is_global_zero:
            return
        dataset = loader.dataset
        chosen = np.unique(np.linspace(0, len(dataset) - 1, self.clips).round().astype(int))
        for number, index in enumerate(chosen):
            batch = collate_clips([dataset[int(index)]])
            found = {"prediction": predict(method, batch), "muted": predict(method, mute(batch))}
            self.folder.mkdir(parents=True, exist_ok=True)
            draw_clip(batch, found, self.folder / f"{name}_{number}.png")
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    key = f"{split}_clips/{number}"  # one panel, whichever the epoch and whichever the run
                    media = clip_media(batch, found, key, sound=key not in self.heard)
                    logger.experiment.log(media, commit=False)  # goes into the row of this epoch's scores
                    self.heard.add(key)


@torch.no_grad()
def predict(method: pl.LightningModule, batch: ClipBatch) -> Tensor:
    """Return the probabilities [T, H, W] of a batch of one clip, on the CPU; leaves the method's mode as it was."""
    training = method.training
    out = method.eval()(batch.to(method.device))
    method.train(training)
    return out.logits[0, :, 0].float().sigmoid().cpu()


def draw_clip(batch: ClipBatch, predictions: dict[str, Tensor], path: Path) -> None:
    """Draw one clip as a PNG: a column a second; rows frame, spectrogram, ground truth and each prediction.

    Args:
        batch: a batch of one clip.
        predictions: probabilities [T, H, W] by the name of their row.
        path: the file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    images = as_rgb(batch.images[0])
    truth, labelled = batch.masks[0, :, 0] > 0.5, batch.labelled[0]
    rows = ["frame", "log-mel", "ground truth", *predictions]
    frames = images.shape[0]
    figure = Figure(figsize=(1.9 * frames + 0.8, 1.95 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), frames, squeeze=False)
    levels = batch.log_mel.min().item(), batch.log_mel.max().item()
    for second in range(frames):
        axes[0, second].imshow(images[second])
        axes[0, second].set_title(f"second {second + 1}", fontsize=9)
        axes[1, second].imshow(
            batch.log_mel[0, second, 0].cpu().numpy().T,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=levels[0],
            vmax=levels[1] + 1e-6,
        )
        shown = truth[second] if labelled[second] else None
        axes[2, second].imshow(overlay(images[second], shown, (0.1, 0.9, 0.3)))
        if shown is None:
            axes[2, second].text(0.5, 0.5, "no label", transform=axes[2, second].transAxes, ha="center", color="white")
        for row, probabilities in enumerate(predictions.values(), start=3):
            axes[row, second].imshow(overlay(images[second], probabilities[second] > 0.5, (1.0, 0.35, 0.1)))
    for row, label in enumerate(rows):
        axes[row, 0].set_ylabel(label, fontsize=10)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    title = batch.ids[0] + (f" ({batch.categories[0]})" if batch.categories[0] else "")
    figure.suptitle(title, fontsize=10)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=100)


def as_rgb(images: Tensor) -> np.ndarray:
    """Return normalised images [T, 3, H, W] as RGB in [0, 1], [T, H, W, 3]."""
    return denormalise(images.cpu().float()).permute(0, 2, 3, 1).numpy()


def overlay(image: np.ndarray, mask: Tensor | None, colour: Sequence[float]) -> np.ndarray:
    """Darken what is outside the mask and tint what is inside."""
    if mask is None:
        return image * 0.35
    inside = np.asarray(mask)[..., None]
    return np.where(inside, 0.5 * image + 0.5 * np.asarray(colour), 0.35 * image)
