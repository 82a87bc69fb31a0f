"""Masks as pictures to lay over a frame."""

import io

import numpy as np
from PIL import Image

from avs_lightning.reporting.report import overlays

MASK = np.zeros((8, 8), bool)
MASK[2:7, 2:7] = True
LABELS = MASK.astype(np.uint8)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_a_tint_is_clear_outside_and_has_an_edge() -> None:
    drawn = pixels(overlays.tinted(LABELS, [(0, 0, 0), (10, 20, 30)]))
    assert (drawn[~MASK][:, 3] == 0).all()
    assert (drawn[MASK][:, :3] == (10, 20, 30)).all()
    inner = np.zeros_like(MASK)
    inner[3:6, 3:6] = True
    assert (drawn[inner][:, 3] == overlays.INSIDE).all()
    assert (drawn[MASK & ~inner][:, 3] == overlays.EDGE).all()


def test_the_pictures_border_is_no_edge() -> None:
    assert (pixels(overlays.tinted(np.ones((4, 4), np.uint8), [(0, 0, 0), (1, 2, 3)]))[..., 3] == overlays.INSIDE).all()


def test_classes_have_their_colours_and_an_edge_between_them() -> None:
    labels = np.zeros((6, 9), np.uint8)
    labels[:, 3:6], labels[:, 6:] = 1, 200
    colours = [(n, n, 255 - n) for n in range(256)]
    drawn = pixels(overlays.tinted(labels, colours))
    assert (drawn[:, :3, 3] == 0).all()
    assert (drawn[:, 3:6, :3] == colours[1]).all()
    assert (drawn[:, 6:, :3] == colours[200]).all()
    edge, inside = overlays.EDGE, overlays.CLASS_INSIDE
    assert drawn[0, 3:, 3].tolist() == [edge, inside, edge, edge, inside, inside]


def test_a_class_taken_for_another_is_wrongly_on() -> None:
    drawn = pixels(overlays.errors(2 * LABELS, LABELS))
    assert (drawn[MASK][:, :3] == overlays.FALSE_ALARM).all()


def test_errors_tell_found_missed_and_false() -> None:
    found = np.roll(MASK, 2, axis=1)
    drawn = pixels(overlays.errors(LABELS, found.astype(np.uint8)))
    assert (drawn[MASK & found][:, :3] == overlays.HIT).all()
    assert (drawn[MASK & ~found][:, :3] == overlays.MISSED).all()
    assert (drawn[~MASK & found][:, :3] == overlays.FALSE_ALARM).all()
    assert (drawn[~MASK & ~found][:, 3] == 0).all()
