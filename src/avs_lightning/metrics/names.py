"""How scores and their protocols are named and written wherever people read them."""

import math

PROTOCOLS: dict[str, str] = {
    "reference": "as the released scripts: mean over batches of 4 clips",
    "frame": "exact mean over frames",
    "dataset": "all pixels at once",
    "reference@2": "as the released scripts, but in batches of 2 clips",
    "reference@1": "as the released scripts, but clip by clip",
}
"""What each protocol is; `reference` is that of 4 clips a batch, and some papers report 1 or 2."""
SCORES = ("miou_frame", "fscore_frame", "false_positive_rate")
"""What a sound's row in a table holds."""


def protocol_label(protocol: str) -> str:
    """Return what a protocol is called in tables: "reference" with its batch size, "reference@4"."""
    return "reference@4" if protocol == "reference" else protocol


def score_label(name: str) -> str:
    """Return what a score is called in tables: "miou_frame" is "mIoU %", "fscore_frame" "F"; the protocol is apart."""
    if name.startswith("miou"):
        return "mIoU %"
    if name.startswith("fscore"):
        return "F"
    return "wrongly on %" if name == "false_positive_rate" else name


def score_text(name: str, value: float | None, decimals: int = 1) -> str:
    """Write a fraction as its score is printed: "39.4" of an mIoU or a false-positive rate, ".570" of an F-score.

    Args:
        name: of the score, as in metrics.json.
        value: the fraction; None or NaN, where there is none, is a dash.
        decimals: of a percentage; an F-score has three.
    """
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3f}".removeprefix("0") if name.startswith("fscore") else f"{100 * value:.{decimals}f}"
