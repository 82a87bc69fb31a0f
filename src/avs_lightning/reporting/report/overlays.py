"""Masks as see-through pictures that a page lays over a frame."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]

TRUTH: Colour = (64, 220, 130)
PREDICTION: Colour = (255, 150, 40)
MUTED: Colour = (190, 130, 255)
HIT, MISSED, FALSE_ALARM = TRUTH, (70, 150, 255), (255, 70, 90)
INSIDE, EDGE = 130, 255


def read_mask(data: bytes) -> Mask:
    """Return a mask [H, W] from a 1-bit or grey picture in which white is on.

    Raises:
        OSError: it is no picture, or a damaged one.
    """
    with Image.open(io.BytesIO(data)) as picture:
        on: Mask = np.asarray(picture.convert("L")) > 127
    return on


def tinted(mask: Mask, colour: Colour) -> bytes:
    """Return a PNG: the mask [H, W] tinted, its edge opaque, the rest clear."""
    return _png(mask.astype(np.uint8) + (mask & ~_eroded(mask)), [(*colour, INSIDE), (*colour, EDGE)])


def errors(truth: Mask, prediction: Mask) -> bytes:
    """Return a PNG of two masks [H, W]: what was found, what was missed, and what was switched on wrongly."""
    kinds = np.zeros(truth.shape, np.uint8)
    kinds[truth & prediction], kinds[truth & ~prediction], kinds[~truth & prediction] = 1, 2, 3
    return _png(kinds, [(*HIT, INSIDE), (*MISSED, 190), (*FALSE_ALARM, 190)])


def _eroded(mask: Mask) -> Mask:
    """The mask less its outermost pixels; the picture's border is no edge."""
    around = np.pad(mask, 1, mode="edge")
    inner: Mask = mask & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return inner


def _png(kinds: NDArray[np.uint8], colours: list[tuple[int, int, int, int]]) -> bytes:
    """A palette picture: 0 is clear, n is the n-th colour."""
    picture = Image.fromarray(kinds, mode="P")
    picture.putpalette([0, 0, 0, *(level for colour in colours for level in colour[:3])])
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, transparency=bytes([0, *(colour[3] for colour in colours)]))
    return file.getvalue()
