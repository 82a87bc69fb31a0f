"""Pictures of clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from tests.networks import tiny_avs

from avs_lightning.data import ClipBatch, example_batch
from avs_lightning.reporting.palette import class_colours, tinted
from avs_lightning.reporting.pictures import GAP, MARGIN, TILE, as_rgb, draw_clip, predict


@pytest.fixture
def batch() -> ClipBatch:
    clip = example_batch(1, 32)
    clip.images[:] = 0
    clip.labels[:, :, 8:] = 0
    clip.labels[:, :, :8] = 1
    clip.labelled[:, 1:] = False
    return clip


def test_a_clip_is_drawn_second_by_second(batch: ClipBatch, tmp_path: Path) -> None:
    shown = {"prediction": torch.randint(2, (5, 32, 32)), "muted": torch.randint(2, (5, 32, 32))}
    draw_clip(batch, shown, tmp_path / "a.png")
    draw_clip(batch, {"prediction": shown["prediction"]}, tmp_path / "b.png")
    whole, less = (Image.open(tmp_path / name) for name in ("a.png", "b.png"))
    row = TILE + GAP
    assert whole.size == (MARGIN + 5 * row, 2 * MARGIN + 5 * row)
    assert less.size == (whole.width, whole.height - row)


def test_each_second_stands_in_its_column(batch: ClipBatch, tmp_path: Path) -> None:
    shown = torch.zeros(5, 32, 32, dtype=torch.uint8)
    shown[3] = 1
    draw_clip(batch, {"prediction": shown}, tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    row = pixels[2 * MARGIN + 3 * (TILE + GAP) + TILE // 4]
    red = [row[MARGIN + second * (TILE + GAP) + TILE // 4][0] for second in range(5)]
    assert np.argmax(red) == 3
    assert len(set(red[:3] + red[4:])) == 1


def test_masks_tint_and_darken() -> None:
    image = np.full((2, 2, 3), 0.8)
    shown = tinted(image, np.array([[1, 0], [0, 0]], np.uint8), [(0, 0, 0), (0, 255, 0)])
    np.testing.assert_allclose(shown[0, 0], [0.4, 0.9, 0.4])
    classes = tinted(image, np.array([[1, 0], [2, 0]], np.uint8), [(0, 0, 0), (0, 255, 0), (255, 0, 0)])
    np.testing.assert_allclose(classes[:, 0], [[0.2, 0.95, 0.2], [0.95, 0.2, 0.2]])
    np.testing.assert_allclose(shown[1, 1], 0.28)
    np.testing.assert_allclose(tinted(image, None, []), 0.28)


def test_classes_have_the_colours_of_avsbench_semantic(shared: Path) -> None:
    colours = json.loads((shared / "parity" / "avss" / "palette.json").read_text())
    assert [list(colour) for colour in class_colours(len(colours))] == colours


def test_classes_stand_below_the_seconds_that_exist(tmp_path: Path) -> None:
    clip = example_batch(1, 32, frames=4, classes=5)
    clip.lengths[0] = 2
    clip.labels[clip.labels == 3] = 0
    drawn = clip.labels[0].clone()
    draw_clip(clip, {"prediction": drawn}, tmp_path / "a.png", ["background", "bell", "drum", "flute", "horn"])
    picture = Image.open(tmp_path / "a.png").convert("RGB")
    assert picture.size == (MARGIN + 3 * (TILE + GAP), 2 * MARGIN + 3 * (TILE + GAP) + MARGIN + TILE + GAP)
    colours = {colour for _, colour in picture.crop((0, picture.height - MARGIN, *picture.size)).getcolors(1_000)}
    assert {n for n, colour in enumerate(class_colours(5)) if n and colour in colours} == {1, 2, 4}


def test_pixels_come_back_from_their_normalised_values() -> None:
    pixels = torch.rand(5, 3, 4, 4)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (pixels - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(as_rgb(normalised), pixels.permute(0, 2, 3, 1), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("classes", [("background", "sounding"), ("background", "bell", "drum")])
def test_predictions_are_labels_and_leave_the_mode(batch: ClipBatch, training: bool, classes: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    method = tiny_avs(classes=classes).train(training)
    batch.images.normal_()
    with torch.no_grad():  # about as many pixels of one class as of another
        last = method.network.decoder.head[-1]
        last.weight *= 10_000
        last.bias -= method.eval()(batch).logits.mean((0, 1, 3, 4))
    method.train(training)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(method)
    with torch.no_grad():
        found = predict(trainer, batch)
    assert method.training == training
    assert found.shape == (5, 32, 32)
    logits = method.eval()(batch).logits[0]
    assert torch.equal(found, (logits[:, 0] > 0 if len(classes) == 2 else logits.argmax(1)).byte())
    assert len(found.unique()) > 1
    method.train(training)
    torch.testing.assert_close(predict(trainer, batch), found)  # no statistics have moved
