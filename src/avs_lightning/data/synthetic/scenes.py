"""Scenes as plain data: what stands where, how it moves and when it sounds; nothing is drawn or synthesised here."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avs_lightning.data.synthetic.looks import LOOKS
from avs_lightning.data.synthetic.sounds import SECONDS, Tuning

Setting = Literal["s4", "ms3"]
FPS = 8
FRAME_TIMES = tuple(int(second * FPS + 15 / 16 * FPS) / FPS for second in range(SECONDS))
"""When the frames that stand for the five seconds are taken: AVSBench's rule at `FPS` frames a second."""

_RADII = {2: (0.19, 0.28), 3: (0.17, 0.24), 4: (0.15, 0.20)}
_OBJECT_COUNTS = {"s4": ((2, 3), (0.5, 0.5)), "ms3": ((2, 3, 4), (0.25, 0.45, 0.3))}
# How many of 2, 3 or 4 objects sound in a second: on average 44% of them, whatever their number.
_SOUNDING = {2: (0.16, 0.80, 0.04), 3: (0.07, 0.56, 0.35, 0.02), 4: (0.03, 0.37, 0.43, 0.15, 0.02)}
_HOLD = 0.35
# Clips of a block of ten share a source like this; official MS3 has 424 clips from 219 sources.
_SOURCE_OF_CLIP = (0, 1, 1, 2, 3, 3, 3, 4, 5, 5)
_SHARED_BY_SPLITS = 0.5


@dataclass(frozen=True)
class Actor:
    """One individual of a category: the same in every clip of a source video.

    Attributes:
        category: one of `CATEGORIES`.
        hue: turn of all colours, as a share of the circle.
        light: factor on the brightness.
        mirrored: drawn facing the other way.
        tuning: its voice.
    """

    category: str
    hue: float
    light: float
    mirrored: bool
    tuning: Tuning


@dataclass(frozen=True)
class SceneObject:
    """An actor in a clip; positions in frame widths, times in seconds.

    Attributes:
        actor: who.
        radius: size.
        centre: (x, y) at half-time, before bobbing.
        velocity: (x, y) a second.
        phase: of bobbing, swinging and pulsing, in radians.
        sounding: one flag a second.
        level: root mean square of its sound.
    """

    actor: Actor
    radius: float
    centre: tuple[float, float]
    velocity: tuple[float, float]
    phase: float
    sounding: tuple[bool, ...]
    level: float


@dataclass(frozen=True)
class Scene:
    """A clip. `objects` are drawn back to front; `backdrop` and `noise` seed the background and the sound."""

    id: str
    source: str
    split: str
    category: str
    start: int
    objects: tuple[SceneObject, ...]
    backdrop: int
    noise: int


def plan_scene(
    setting: Setting, split: str, number: int, categories: Sequence[str], seed: int = 0, switching: bool = True
) -> Scene:
    """Plan clip `number` of a split.

    The stage (who, where, how large, in front of whom) and the sound (who, when) are drawn from separate random
    streams, so nothing that can be seen tells which object sounds.

    Args:
        setting: "s4" (one object sounds all the time) or "ms3" (any number, by the second).
        split: "train", "val" or "test".
        number: 0, 1, ...
        categories: what to choose from.
        seed: of the whole data set.
        switching: False holds MS3's sounding objects for the whole clip.
    """
    source, take = _source(setting, split, number, seed)
    cast_rng = _stream(seed, setting, source, "cast")
    stage_rng = _stream(seed, setting, split, number, "stage")
    sound_rng = _stream(seed, setting, split, number, "sound")
    actors = [_actor(c, cast_rng) for c in _cast(setting, split, number, categories, seed, cast_rng)]
    backdrop = int(cast_rng.integers(2**31))
    if setting == "s4":
        # The first of the cast is the one whose turn it is: the round robin gives each category as many clips.
        schedule = np.zeros((SECONDS, len(actors)), dtype=bool)
        schedule[:, 0] = True
    else:
        schedule = _schedule(len(actors), switching, sound_rng)
    order = stage_rng.permutation(len(actors))
    placed = _placed([actors[i] for i in order], stage_rng)
    objects = tuple(
        SceneObject(
            actors[i],
            *place,
            tuple(bool(on) for on in schedule[:, i]),
            float(0.09 * 10 ** sound_rng.uniform(-0.15, 0.15)),
        )
        for i, place in zip(order, placed)
    )
    return Scene(
        id=source if setting == "s4" else f"{source}_{take}",
        source=source,
        split=split,
        category=actors[0].category if setting == "s4" else "",
        start=int(stage_rng.integers(6)),
        objects=objects,
        backdrop=backdrop,
        noise=int(sound_rng.integers(2**31)),
    )


def path(item: SceneObject, times: Sequence[float]) -> NDArray[np.float64]:
    """Centre, rotation (radians) and radius of an object at the times: [len(times), 4]."""
    motion = LOOKS[item.actor.category].motion
    t = np.asarray(times)[:, None] - SECONDS / 2
    xy = np.array(item.centre) + t * np.array(item.velocity)
    bob = motion.bob * item.radius * np.sin(2 * np.pi * motion.bob_rate * t + item.phase)
    turn = np.radians(motion.swing) * np.sin(2 * np.pi * motion.swing_rate * t + 2 * item.phase)
    radius = item.radius * (1 + motion.pulse * np.sin(2 * np.pi * 0.8 * t + 3 * item.phase))
    return np.concatenate([xy[:, :1], xy[:, 1:] + bob, turn, radius], axis=1)


def _stream(*key: str | int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key])


def _source(setting: Setting, split: str, number: int, seed: int) -> tuple[str, int]:
    """The source video's 11-character id and the number of the clip within it."""
    if setting == "s4":
        owner, block, take = split, number, 0
    else:
        tens, place = divmod(number, len(_SOURCE_OF_CLIP))
        block = tens * len(_SOURCE_OF_CLIP) + _SOURCE_OF_CLIP[place]
        shared = _stream(seed, "shared", block).random() < _SHARED_BY_SPLITS
        owner = "any" if shared else split
        take = 3 * (place - _SOURCE_OF_CLIP.index(_SOURCE_OF_CLIP[place])) + ("train", "val", "test").index(split)
    digits = _stream(seed, setting, owner, block, "id").bytes(9)
    return base64.urlsafe_b64encode(digits).decode()[:11], take


def _cast(
    setting: Setting, split: str, number: int, categories: Sequence[str], seed: int, rng: np.random.Generator
) -> list[str]:
    counts, odds = _OBJECT_COUNTS[setting]
    count = min(int(rng.choice(counts, p=odds)), len(categories))
    if setting == "ms3":
        return [str(c) for c in rng.permutation(list(categories))[:count]]
    rounds, turn = divmod(number, len(categories))
    lead = str(_stream(seed, setting, split, rounds, "turns").permutation(list(categories))[turn])
    return [lead, *[str(c) for c in rng.permutation([c for c in categories if c != lead])[: count - 1]]]


def _actor(category: str, rng: np.random.Generator) -> Actor:
    return Actor(
        category,
        hue=float(rng.uniform(-0.025, 0.025)),
        light=float(rng.uniform(0.85, 1.12)),
        mirrored=bool(rng.random() < 0.5),
        tuning=Tuning(
            pitch=float(2 ** rng.uniform(-0.12, 0.12)),
            tempo=float(rng.uniform(0.88, 1.12)),
            colour=float(2 ** rng.uniform(-0.1, 0.1)),
        ),
    )


def _schedule(objects: int, switching: bool, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which object sounds in which second, [seconds, objects]; the odds are the same in every second."""
    seconds: list[NDArray[np.bool_]] = []
    while len(seconds) < SECONDS:
        if seconds and (not switching or rng.random() < _HOLD):
            seconds.append(seconds[-1])
        else:
            sounding = int(rng.choice(objects + 1, p=_SOUNDING[objects]))
            seconds.append(np.isin(np.arange(objects), rng.permutation(objects)[:sounding]))
    return np.stack(seconds)


Place = tuple[float, tuple[float, float], tuple[float, float], float]


def _placed(actors: Sequence[Actor], rng: np.random.Generator, tries: int = 64) -> list[Place]:
    """Radius, centre, velocity and phase of each: inside the frame, and clear of the others if some try allows."""
    times = np.linspace(-SECONDS / 2, SECONDS / 2, 5)[:, None]
    places: list[Place] = []
    paths: list[NDArray[np.float64]] = []
    for actor in actors:
        look = LOOKS[actor.category]
        radius = float(rng.uniform(*_RADII[len(actors)])) * look.scale
        velocity = rng.uniform(-0.045, 0.045, (tries, 1, 2)) * look.motion.speed * (1, 0.6)
        margin = 0.85 * radius + np.abs(velocity) * SECONDS / 2
        centre = margin + rng.random((tries, 1, 2)) * np.maximum(1 - 2 * margin, 0)
        track = centre + times * velocity
        gaps = [
            np.linalg.norm(track - other, axis=-1).min(1) - 0.9 * (radius + place[0])
            for other, place in zip(paths, places)
        ]
        gap = np.min(gaps, axis=0) if gaps else np.zeros(tries)
        best = int(np.argmax(np.minimum(gap, 0)))
        (x, y), (dx, dy) = centre[best, 0], velocity[best, 0]
        places.append((radius, (float(x), float(y)), (float(dx), float(dy)), float(rng.uniform(0, 2 * np.pi))))
        paths.append(track[best])
    return places
