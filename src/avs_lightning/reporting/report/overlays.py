"""Masks as see-through pictures that a page lays over a frame."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avs_lightning.reporting.mask_files import Labels
from avs_lightning.reporting.palette import TRUTH, Colour

HIT, MISSED, FALSE_ALARM = TRUTH, (70, 150, 255), (255, 70, 90)
INSIDE, CLASS_INSIDE, EDGE = 130, 190, 255  # the colours of classes are dark


def tinted(labels: Labels, colours: Sequence[Colour]) -> bytes:
    """Return a PNG: labels [H, W] tinted by class, the edges opaque, the background clear."""
    kinds = np.where(labels > 0, 2 * labels.astype(np.int64) - 1 + _edges(labels), 0)
    present, kinds = np.unique(np.append(kinds, 0), return_inverse=True)  # a palette has 256 entries
    inside = INSIDE if len(colours) == 2 else CLASS_INSIDE
    shown = [(*colours[(kind + 1) // 2], EDGE if kind % 2 == 0 else inside) for kind in present[1:].tolist()]
    return _png(kinds[:-1].reshape(labels.shape).astype(np.uint8), shown)


def errors(truth: Labels, prediction: Labels) -> bytes:
    """Return a PNG of two label maps [H, W]: what was found, what was missed, and what was switched on wrongly.

    What was taken for another class is switched on wrongly.
    """
    kinds = np.zeros(truth.shape, np.uint8)
    kinds[(truth > 0) & (prediction == 0)] = 2
    kinds[prediction > 0] = 3
    kinds[(truth > 0) & (truth == prediction)] = 1
    return _png(kinds, [(*HIT, INSIDE), (*MISSED, 190), (*FALSE_ALARM, 190)])


def _edges(labels: Labels) -> NDArray[np.bool_]:
    """The pixels beside one of another class; the picture's border is no edge."""
    around = np.pad(labels, 1, mode="edge")
    edges: NDArray[np.bool_] = np.logical_or.reduce(
        [labels != part for part in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])]
    )
    return edges


def _png(kinds: NDArray[np.uint8], colours: list[tuple[int, int, int, int]]) -> bytes:
    """A palette picture: 0 is clear, n is the n-th colour."""
    picture = Image.fromarray(kinds, mode="P")
    picture.putpalette([0, 0, 0, *(level for colour in colours for level in colour[:3])])
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, transparency=bytes([0, *(colour[3] for colour in colours)]))
    return file.getvalue()
