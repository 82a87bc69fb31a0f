"""Masks as pictures to lay over a frame."""

import io

import numpy as np
import pytest
from PIL import Image

from avs_lightning.reporting.report import overlays

MASK = np.zeros((8, 8), bool)
MASK[2:7, 2:7] = True


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_a_tint_is_clear_outside_and_has_an_edge() -> None:
    drawn = pixels(overlays.tinted(MASK, (10, 20, 30)))
    assert (drawn[~MASK][:, 3] == 0).all()
    assert (drawn[MASK][:, :3] == (10, 20, 30)).all()
    inner = np.zeros_like(MASK)
    inner[3:6, 3:6] = True
    assert (drawn[inner][:, 3] == overlays.INSIDE).all()
    assert (drawn[MASK & ~inner][:, 3] == overlays.EDGE).all()


def test_the_pictures_border_is_no_edge() -> None:
    assert (pixels(overlays.tinted(np.ones((4, 4), bool), (1, 2, 3)))[..., 3] == overlays.INSIDE).all()


def test_errors_tell_found_missed_and_false() -> None:
    found = np.roll(MASK, 2, axis=1)
    drawn = pixels(overlays.errors(MASK, found))
    assert (drawn[MASK & found][:, :3] == overlays.HIT).all()
    assert (drawn[MASK & ~found][:, :3] == overlays.MISSED).all()
    assert (drawn[~MASK & found][:, :3] == overlays.FALSE_ALARM).all()
    assert (drawn[~MASK & ~found][:, 3] == 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_white_is_on_in_every_kind_of_picture(mode: str) -> None:
    file = io.BytesIO()
    Image.fromarray(MASK.astype(np.uint8) * 255).convert(mode).save(file, "PNG")
    assert (overlays.read_mask(file.getvalue()) == MASK).all()


def test_no_picture_is_an_error() -> None:
    with pytest.raises(OSError):
        overlays.read_mask(b"no picture")
