"""How scores and their protocols are named and written wherever people read them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

PROTOCOLS: dict[str, str] = {
    "reference": "as the released scripts: mean over batches of 4 clips",
    "frame": "exact mean over frames",
    "dataset": "all pixels at once",
    "reference@2": "as the released scripts, but in batches of 2 clips",
    "reference@1": "as the released scripts, but clip by clip",
}
"""What each protocol is; `reference` is that of 4 clips a batch, and some papers report 1 or 2."""
CLASS_PROTOCOLS: dict[str, str] = {
    "reference": "as the released scripts: mean over all classes; one that occurs nowhere scores 0, padding is right",
    "frame": "mean over the classes that occur of their exact means over frames",
    "dataset": "all pixels of a class at once, mean over the classes that occur",
}
"""What each protocol is of more than two classes."""


@dataclass(frozen=True)
class Score:
    """How people read a score.

    Attributes:
        name: in files, before the protocol.
        title: in tables; the protocol is apart.
        about: what it says.
        scale: from the fraction that is measured to the number that is shown.
        decimals: of the number that is shown.
        higher_is_better: else a lower one is.
        has_protocol: whether it is measured by several protocols.
    """

    name: str
    title: str
    about: str
    scale: float = 100
    decimals: int = 1
    higher_is_better: bool = True
    has_protocol: bool = True

    def column(self, protocol: str) -> str:
        """Return its name among the scores of a run."""
        return f"{self.name}_{protocol}" if self.has_protocol else self.name

    def text(self, value: float) -> str:
        """Write a value that is already scaled."""
        text = f"{value:.{self.decimals}f}"
        return text.removeprefix("0") if self.scale == 1 else text

    def signed(self, value: float) -> str:
        """Write a difference, with its sign unless it rounds to zero."""
        text = self.text(abs(value))
        return text if not float(text) else ("+" if value > 0 else "−") + text


SCORES = {
    score.name: score
    for score in (
        Score("miou", "mIoU %", "mean share of what is predicted or true that is both: 100 is perfect"),
        Score("fscore", "F", "F-score with beta² = 0.3, the best over thresholds: 1 is perfect", scale=1, decimals=3),
        Score(
            "false_positive_rate",
            "wrongly on %",
            "share of silent pixels that are switched on, mean over frames: 0 is perfect",
            higher_is_better=False,
            has_protocol=False,
        ),
    )
}
FRAME_SCORES = tuple(score.column("frame") for score in SCORES.values())
"""What a sound's row in a table holds."""


def protocol_label(protocol: str) -> str:
    """Return what a protocol is called in tables: "reference" with its batch size, "reference@4"."""
    return "reference@4" if protocol == "reference" else protocol


def score_label(name: str) -> str:
    """Return what a score is called in tables: "miou_frame" is "mIoU %", "fscore_frame" "F"; the protocol is apart."""
    score = _score_of(name)
    return score.title if score else name


def protocols_of(scores: Iterable[str]) -> dict[str, str]:
    """Return what each protocol is, told by the names of the scores whether there are more than two classes."""
    return PROTOCOLS if "miou_reference@2" in scores else CLASS_PROTOCOLS


def score_text(name: str, value: float | None) -> str:
    """Write a fraction as its score is printed: "39.4" of an mIoU or a false-positive rate, ".570" of an F-score.

    Args:
        name: of the score, as in metrics.json.
        value: the fraction; None or NaN, where there is none, is a dash.
    """
    if value is None or math.isnan(value):
        return "–"
    score = _score_of(name)
    return score.text(score.scale * value) if score else f"{100 * value:.1f}"


def _score_of(name: str) -> Score | None:
    return next((score for score in SCORES.values() if name.startswith(score.name)), None)
