"""What metrics.json holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    **dict.fromkeys(("name", "data", "fingerprint", "split", "checkpoint"), str), "synthetic": bool,
    **dict.fromkeys(("epochs", "steps"), int), **dict.fromkeys(("scores", "clips", "best", "cost", "code"), dict),
}  # fmt: skip


@dataclass(frozen=True)
class Results:
    """The results of a run; whatever is missing, or of another kind than here, is empty.

    Attributes:
        name: of the run.
        data: name of the data set.
        fingerprint: of its clips.
        synthetic: whether they are drawn; None where the run does not say.
        split: that an evaluation has tested; empty for a training, which tests the test split.
        checkpoint: that an evaluation has tested.
        scores: by sound the scores by `metric_protocol`, as fractions.
        clips: how many are "scored", and how many the "split" has.
        epochs: of the training, in all sessions.
        steps: of the training, in all sessions.
        best: "epoch" of the best checkpoint, from 1, and its "val_miou_frame".
        cost: seconds, memory and parameters, by their names with units; "device".
        code: "version", hashes of the "sources" and of what decides "results", and the "commit".
    """

    name: str = ""
    data: str = ""
    fingerprint: str = ""
    synthetic: bool | None = None
    split: str = ""
    checkpoint: str = ""
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    clips: Mapping[str, int] = field(default_factory=dict)
    epochs: int | None = None
    steps: int | None = None
    best: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Results:
        """Read what was written as JSON."""
        fit = {name for name, kind in KINDS.items() if isinstance(content.get(name), kind)}
        known: dict[str, Any] = {name: content[name] for name in fit}
        scores = {str(sound): numbers(values) for sound, values in known.pop("scores", {}).items()}
        return cls(**known, scores=scores)

    def content(self) -> dict[str, Any]:
        """Return what is to be written as JSON: all that is known."""
        return {name: value for name in KINDS if (value := getattr(self, name)) not in (None, "", {})}


def numbers(values: Any) -> dict[str, float]:
    """Return the finite numbers of what may be a mapping."""
    converted = {str(name): number(value) for name, value in values.items()} if isinstance(values, Mapping) else {}
    return {name: value for name, value in converted.items() if value is not None}


def number(value: Any) -> float | None:
    """Return a finite number from JSON or CSV, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        converted = float(value)
    except (ValueError, OverflowError):
        return None
    return converted if math.isfinite(converted) else None
