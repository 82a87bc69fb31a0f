"""Masks as picture files: a bit a pixel of two classes, a palette's index a pixel of more."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avs_lightning.reporting.palette import class_colours

Labels = NDArray[np.uint8]


def write_labels(path: Path, labels: Labels, classes: int) -> None:
    """Write labels [H, W] of K classes as a PNG."""
    if classes == 2:
        picture = Image.fromarray((labels > 0).astype(np.uint8) * 255).convert("1")
    else:
        picture = Image.fromarray(labels, mode="P")
        picture.putpalette([level for colour in class_colours(classes) for level in colour])
    picture.save(path, optimize=True)


def read_labels(file: bytes | Path) -> Labels:
    """Read labels [H, W], from a grey picture as 1 where it is white.

    Raises:
        OSError: it is no picture, or a damaged one.
    """
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as picture:
        if picture.mode == "P":
            return np.array(picture)
        return (np.asarray(picture.convert("L")) > 127).astype(np.uint8)
