"""Anti-aliased drawing of looks: signed distances of simple shapes, evaluated for many frames at once."""

import colorsys
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avs_lightning.data.synthetic.parts import Look, Part

Array = NDArray[np.float32]


def draw_look(look: Look, x: Array, y: Array, pixel: float, hue: float, light: float) -> tuple[Array, Array]:
    """Draw an object on points given in its own coordinates.

    Args:
        look: what to draw.
        x: [...] to the right, in radii.
        y: [...] down, in radii.
        pixel: size of a pixel, in radii.
        hue: turn of the colours.
        light: factor on their brightness.

    Returns:
        colour [3, ...] in 0 to 1, and coverage [...] in 0 to 1.
    """
    colour = np.zeros((3, *x.shape), dtype=np.float32)
    union = np.full(x.shape, 9.0, dtype=np.float32)
    for part in look.parts:
        u, v = _part_coordinates(part, x, y)
        distance = _distance(part, u, v)
        colour += _cover(distance, pixel) * (_painted(part, u, v, pixel, hue, light) - colour)
        np.minimum(union, distance, out=union)
    # Light from above left, and a dark rim that sets the object off from the background.
    colour *= 1 - 0.12 * np.clip(x + y, -1.2, 1.2)
    rim = max(0.06, 1.1 * pixel)
    colour *= 0.45 + 0.55 * np.clip(-union / rim, 0, 1)
    return np.clip(colour, 0, 1), _cover(union, pixel)


def extent(look: Look) -> float:
    """Radius of a circle that holds a look, in its own units."""
    return max(
        float(np.hypot(p.x, p.y) + np.hypot(p.w, p.h))
        if p.turn
        else float(np.hypot(abs(p.x) + p.w * (1 + max(0, -p.taper / 2)), abs(p.y) + p.h))
        for p in look.parts
    )


def _part_coordinates(part: Part, x: Array, y: Array) -> tuple[Array, Array]:
    u, v = x - np.float32(part.x), y - np.float32(part.y)
    if not part.turn:
        return u, v
    cos, sin = np.float32(np.cos(np.radians(part.turn))), np.float32(np.sin(np.radians(part.turn)))
    return u * cos + v * sin, v * cos - u * sin


def _distance(part: Part, u: Array, v: Array) -> Array:
    if part.shape == "box":
        over_x = np.abs(u) - np.float32(part.w - part.soft)
        over_y = np.abs(v) - np.float32(part.h - part.soft)
        if not part.soft:
            return np.maximum(over_x, over_y)
        outside = _length(np.maximum(over_x, 0), np.maximum(over_y, 0))
        return outside + np.minimum(np.maximum(over_x, over_y), 0) - np.float32(part.soft)
    if part.shape == "wedge":
        slant = part.taper * part.w / (2 * part.h)
        side = np.abs(u) - np.float32(part.w * (1 - part.taper / 2)) - np.float32(slant) * v
        return np.maximum(side / np.float32(np.hypot(1, slant)), np.abs(v) - np.float32(part.h))
    ellipse = _ellipse(u, v, part.w, part.h)
    return np.abs(ellipse + np.float32(part.taper)) - np.float32(part.taper) if part.shape == "ring" else ellipse


def _ellipse(u: Array, v: Array, w: float, h: float) -> Array:
    """First-order distance: the implicit function over its gradient."""
    a, b = np.float32(1 / w), np.float32(1 / h)
    reach = _length(u * a, v * b)
    slope = _length(u * (a * a), v * (b * b)) + np.float32(1e-6)
    return np.maximum(reach * (reach - 1) / slope, np.float32(-min(w, h)))


def _length(x: Array, y: Array) -> Array:
    # np.hypot guards against overflow and is several times slower.
    return np.sqrt(x * x + y * y)


def _cover(distance: Array, pixel: float) -> Array:
    return np.clip(np.float32(0.5) - distance * np.float32(1 / pixel), 0, 1)


def _painted(part: Part, u: Array, v: Array, pixel: float, hue: float, light: float) -> Array:
    """The part's colour, [3, ...] or, where it is plain, [3, 1, ...]."""
    base, second = (rgb(c, hue, light).reshape(3, *(1,) * u.ndim) for c in (part.colour, part.second))
    if part.paint == "plain":
        return base
    period = 2 * part.w / part.count if part.paint != "bands" else 2 * part.h / part.count
    across, down = np.cos(u * np.float32(2 * np.pi / period)), np.cos(v * np.float32(2 * np.pi / period))
    if part.paint == "checks":
        wave = across * down
    elif part.paint == "dots":
        wave = (across + down) / 2
    elif part.paint == "rings":
        wave = np.cos(_length(u, v) * np.float32(2 * np.pi / period))
    else:
        wave = across if part.paint == "stripes" else down
    edge = np.clip(0.5 + wave * np.float32(period / (2 * np.pi * pixel)), 0, 1)
    return base + edge * (second - base)


@lru_cache(maxsize=4096)
def rgb(colour: str, hue: float = 0.0, light: float = 1.0) -> Array:
    """Turn "#rrggbb" into three floats in 0 to 1, after turning the hue and scaling the brightness."""
    h, s, v = colorsys.rgb_to_hsv(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))
    return np.array(colorsys.hsv_to_rgb((h + hue) % 1, s, min(1, v * light)), dtype=np.float32)
