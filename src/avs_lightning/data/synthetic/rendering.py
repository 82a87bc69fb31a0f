"""Scenes -> frames, masks and sound."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avs_lightning.data.synthetic.drawing import Array, draw_look, extent, rgb
from avs_lightning.data.synthetic.looks import LOOKS
from avs_lightning.data.synthetic.parts import Look, Paint, Part, Shape
from avs_lightning.data.synthetic.scenes import FRAME_TIMES, Scene, SceneObject, path
from avs_lightning.data.synthetic.sounds import SAMPLES, gate, synthesise

_BACKDROPS = ("#8fb8d8", "#a9c49a", "#d8c8a8", "#b8a8c8", "#9aa4ae", "#d0a898", "#7f98a0", "#c4c8b0")
_CLUTTER = ("#8a8478", "#a8a090", "#788490", "#90809a", "#7c9080", "#b0a0a0", "#6a6e74", "#c0b8a0")
_SHAPES: tuple[Shape, ...] = ("ellipse", "box", "wedge", "ring")
_PAINTS: tuple[Paint, ...] = ("plain", "stripes", "dots")


def render_frames(scene: Scene, size: int, times: Sequence[float] = FRAME_TIMES) -> tuple[NDArray[np.uint8], Array]:
    """Draw a scene at the times given, in seconds.

    Returns:
        frames [F, size, size, 3] and, for each object, how much of a pixel it visibly covers [N, F, size, size].
    """
    background = _background(scene, size)
    frames = np.empty((len(times), size, size, 3), dtype=np.uint8)
    visible = np.zeros((len(scene.objects), len(times), size, size), dtype=np.float32)
    # As many frames at once as stay in the processor's cache.
    block = max(1, 300_000 // size**2)
    for first in range(0, len(times), block):
        now = slice(first, first + block)
        canvas = np.repeat(background[:, None], len(times[now]), axis=1)
        for index, item in enumerate(scene.objects):
            _draw_object(item, canvas, visible[: index + 1, now], times[now])
        frames[now] = np.moveaxis(canvas * 255 + 0.5, 0, -1)
    return frames, visible


def render_masks(scene: Scene, visible: Array) -> NDArray[np.bool_]:
    """The visible pixels of what sounds: [5, size, size] from `render_frames`' coverage at `FRAME_TIMES`."""
    sounding = np.array([item.sounding for item in scene.objects], dtype=np.float32)
    return np.asarray(np.einsum("ntyx,nt->tyx", visible, sounding) >= 0.5)


def render_sound(scene: Scene) -> NDArray[np.int16]:
    """Mix what sounds, over a room tone of about -70 dB: [80000] samples at 16 kHz."""
    rng = np.random.default_rng(scene.noise)
    mix = rng.standard_normal(SAMPLES, dtype=np.float32) * np.float32(rng.uniform(1e-4, 4e-4))
    for item in scene.objects:
        if any(item.sounding):
            sound = synthesise(item.actor.category, item.actor.tuning, rng)
            mix += np.float32(item.level) * sound * gate(item.sounding)
    # A soft ceiling instead of clipping.
    return (np.tanh(mix) * 32767).astype(np.int16)


def _draw_object(item: SceneObject, canvas: Array, visible: Array, times: Sequence[float]) -> None:
    """Draw in place on [3, F, H, W].

    The last plane of `visible` becomes the object's, the earlier ones lose what it hides.
    """
    look, size = LOOKS[item.actor.category], canvas.shape[-1]
    track = path(item, times)
    half = int(np.ceil(extent(look) * item.radius * (1 + look.motion.pulse) * size)) + 2
    corner = np.floor(track[:, :2] * size).astype(int) - half
    grid = np.arange(2 * half, dtype=np.float32) + 0.5
    # Offsets from the centre in pixels, turned and scaled into the object's own coordinates.
    dx = (corner[:, :1] + grid - track[:, :1] * size).astype(np.float32)[:, None, :]
    dy = (corner[:, 1:] + grid - track[:, 1:2] * size).astype(np.float32)[:, :, None]
    scale = (track[:, 3] * size).astype(np.float32)[:, None, None]
    cos, sin = (f(track[:, 2]).astype(np.float32)[:, None, None] / scale for f in (np.cos, np.sin))
    x, y = dx * cos + dy * sin, dy * cos - dx * sin
    if item.actor.mirrored:
        x = -x
    pixel = 1 / (item.radius * size)
    colour, cover = draw_look(look, x, y, pixel, item.actor.hue, item.actor.light)
    for frame, (left, top) in enumerate(corner):
        inside_x, inside_y = slice(max(left, 0), left + 2 * half), slice(max(top, 0), top + 2 * half)
        part = canvas[:, frame, inside_y, inside_x]
        rows, columns = slice(max(-top, 0), None), slice(max(-left, 0), None)
        over = cover[frame, rows, columns][: part.shape[1], : part.shape[2]]
        part += over * (colour[:, frame, rows, columns][:, : part.shape[1], : part.shape[2]] - part)
        visible[:-1, frame, inside_y, inside_x] *= 1 - over
        visible[-1, frame, inside_y, inside_x] = over


def _background(scene: Scene, size: int) -> Array:
    """Gradient, mottling and a few shapes in dull colours that are no category: [3, size, size]."""
    rng = np.random.default_rng(scene.backdrop)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = (np.asarray(plane, dtype=np.float32) for plane in np.meshgrid(axis, axis))
    near, far = (
        rgb(str(colour), float(rng.uniform(-0.04, 0.04)), float(rng.uniform(0.75, 1.05)))
        for colour in rng.choice(_BACKDROPS, 2)
    )
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1).astype(np.float32)
    canvas = near[:, None, None] + ramp * (far - near)[:, None, None]
    for cells, depth in ((5, 0.10), (22, 0.07)):
        canvas += depth * _mottling(rng, cells, size)
    for _ in range(int(rng.integers(3, 8))):
        _draw_clutter(canvas, x, y, rng)
    return np.clip(canvas, 0, 1)


def _mottling(rng: np.random.Generator, cells: int, size: int) -> Array:
    noise = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC))


def _draw_clutter(canvas: Array, x: Array, y: Array, rng: np.random.Generator) -> None:
    shape: Shape = _SHAPES[rng.integers(len(_SHAPES))]
    part = Part(
        shape,
        x=0,
        y=0,
        w=1,
        h=float(rng.uniform(0.25, 1)),
        colour=str(rng.choice(_CLUTTER)),
        taper=0.12 if shape == "ring" else float(rng.uniform(0, 0.9)),
        paint=_PAINTS[rng.integers(len(_PAINTS))],
        second=str(rng.choice(_CLUTTER)),
        count=int(rng.integers(2, 5)),
    )
    radius, angle = float(rng.uniform(0.05, 0.22)), rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle) / radius), np.float32(np.sin(angle) / radius)
    dx, dy = x - np.float32(rng.random()), y - np.float32(rng.random())
    light = float(rng.uniform(0.8, 1.1))
    colour, cover = draw_look(
        Look((part,)), dx * cos + dy * sin, dy * cos - dx * sin, 1 / (radius * len(x)), 0.0, light
    )
    canvas += 0.6 * cover * (colour - canvas)
