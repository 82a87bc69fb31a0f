"""Pictures of clips."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from tests.networks import tiny_avs

from avs_lightning.data import ClipBatch, example_batch
from avs_lightning.reporting.pictures import GAP, MARGIN, TILE, as_rgb, draw_clip, overlay, predict


@pytest.fixture
def batch() -> ClipBatch:
    clip = example_batch(1, 32)
    clip.images[:] = 0
    clip.labels[:, :, 8:] = 0
    clip.labels[:, :, :8] = 1
    clip.labelled[:, 1:] = False
    return clip


def test_a_clip_is_drawn_second_by_second(batch: ClipBatch, tmp_path: Path) -> None:
    shown = {"prediction": torch.rand(5, 32, 32), "muted": torch.rand(5, 32, 32)}
    draw_clip(batch, shown, tmp_path / "a.png")
    draw_clip(batch, {"prediction": shown["prediction"]}, tmp_path / "b.png")
    whole, less = (Image.open(tmp_path / name) for name in ("a.png", "b.png"))
    row = TILE + GAP
    assert whole.size == (MARGIN + 5 * row, 2 * MARGIN + 5 * row)
    assert less.size == (whole.width, whole.height - row)


def test_each_second_stands_in_its_column(batch: ClipBatch, tmp_path: Path) -> None:
    shown = torch.zeros(5, 32, 32)
    shown[3] = 1
    draw_clip(batch, {"prediction": shown}, tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    row = pixels[2 * MARGIN + 3 * (TILE + GAP) + TILE // 4]
    red = [row[MARGIN + second * (TILE + GAP) + TILE // 4][0] for second in range(5)]
    assert np.argmax(red) == 3
    assert len(set(red[:3] + red[4:])) == 1


def test_masks_tint_and_darken() -> None:
    image = np.full((2, 2, 3), 0.8)
    mask = torch.tensor([[True, False], [False, False]])
    shown = overlay(image, mask, (0.0, 1.0, 0.0))
    np.testing.assert_allclose(shown[0, 0], [0.4, 0.9, 0.4])
    np.testing.assert_allclose(shown[1, 1], 0.28)
    np.testing.assert_allclose(overlay(image, None, (0, 1, 0)), 0.28)


def test_pixels_come_back_from_their_normalised_values() -> None:
    pixels = torch.rand(5, 3, 4, 4)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (pixels - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(as_rgb(normalised), pixels.permute(0, 2, 3, 1), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_predictions_are_probabilities_and_leave_the_mode(batch: ClipBatch, training: bool) -> None:
    method = tiny_avs().train(training)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(method)
    with torch.no_grad():
        found = predict(trainer, batch)
    assert method.training == training
    assert found.shape == (5, 32, 32)
    assert ((found >= 0) & (found <= 1)).all()
    torch.testing.assert_close(found, method.eval()(batch).logits[0, :, 0].sigmoid())
    method.train(training)
    torch.testing.assert_close(predict(trainer, batch), found)  # no statistics have moved
