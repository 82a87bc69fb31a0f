"""The colours that classes have wherever people see them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

TRUTH: Colour = (64, 220, 130)
PREDICTION: Colour = (255, 150, 40)
MUTED: Colour = (190, 130, 255)


def class_colours(classes: int, binary: Colour = PREDICTION) -> list[Colour]:
    """Return the colour of each class as RGB, the background's first; it is black, and never drawn.

    Args:
        classes: K; more than two have the colours of AVSBench-semantic: of each three bits of its number a class has
            the first in red, the second in green and the third in blue, the lowest bits first and highest in value.
        binary: of the second of two classes; it tells truth and predictions apart.
    """
    if classes == 2:
        return [(0, 0, 0), binary]
    return [_bit_colour(number) for number in range(classes)]


def _bit_colour(number: int) -> Colour:
    levels = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            levels[channel] |= ((number >> (3 * place + channel)) & 1) << (7 - place)
    return levels[0], levels[1], levels[2]


def tinted(
    image: NDArray[np.float32], labels: NDArray[np.uint8] | None, colours: Sequence[Colour]
) -> NDArray[np.float32]:
    """Darken a picture [H, W, 3] in [0, 1] where labels [H, W] say background, or everywhere, and tint the rest."""
    if labels is None:
        return image * np.float32(0.35)
    tints = np.asarray(colours, np.float32)[labels] / 255
    share = 0.5 if len(colours) == 2 else 0.75  # the colours of classes are dark
    return np.where(labels[..., None] > 0, (1 - share) * image + share * tints, 0.35 * image)
