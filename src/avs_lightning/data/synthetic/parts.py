"""The words that looks are made of: parts, back to front, and a motion."""

from dataclasses import dataclass
from typing import Literal

Shape = Literal["ellipse", "box", "wedge", "ring"]
Paint = Literal["plain", "stripes", "bands", "checks", "dots", "rings"]


@dataclass(frozen=True)
class Part:
    """One shape of an object, in units of the object's radius, x to the right and y down.

    Attributes:
        shape: a wedge is a box whose top is narrower by `taper`; a ring is an ellipse's rim, `taper` thick.
        x: centre.
        y: centre.
        w: half width.
        h: half height.
        colour: "#rrggbb".
        turn: degrees, clockwise.
        soft: radius of a box's corners.
        taper: see `shape`.
        paint: pattern of `second` on `colour`, `count` of them across the part.
        second: "#rrggbb".
        count: how many stripes, checks, dots or rings.
    """

    shape: Shape
    x: float
    y: float
    w: float
    h: float
    colour: str
    turn: float = 0.0
    soft: float = 0.0
    taper: float = 0.0
    paint: Paint = "plain"
    second: str = "#000000"
    count: int = 4


@dataclass(frozen=True)
class Motion:
    """How a category moves, beside the drift that every object has.

    Attributes:
        bob: vertical amplitude, in radii.
        bob_rate: Hz.
        swing: rotation amplitude, in degrees.
        swing_rate: Hz.
        pulse: amplitude of the change of size, as a share of it.
        speed: factor on the drift.
    """

    bob: float = 0.05
    bob_rate: float = 0.5
    swing: float = 4.0
    swing_rate: float = 0.3
    pulse: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class Look:
    """A category's parts, back to front, its motion and its typical size relative to the others."""

    parts: tuple[Part, ...]
    motion: Motion = Motion()
    scale: float = 1.0
