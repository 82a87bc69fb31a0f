"""Whether a network listens, in words, from its scores with its own and with false sounds."""

from collections.abc import Mapping

from avs_lightning.data.sound_names import OWN, SOUNDS
from avs_lightning.metrics.names import score_text

SCORE = "miou_frame"
POINTS = 2.0
"""Points of mIoU (protocol `frame`) that a false sound has to cost: a deaf network loses none, by whatever sound."""
ORDER = "permuted"
"""The false sound that is the clip's own: it tells whether sound is followed by the second, not whether it is heard."""


def verdict(scores: Mapping[str, Mapping[str, float]]) -> str | None:
    """Say whether a network listens; None where it was not tested with a false sound.

    It listens if each false sound costs `POINTS` at least, in part if only some do, and not at all if none does.

    Args:
        scores: by sound (`SOUNDS`) the scores by `metric_protocol`, as fractions.
    """
    mious = {sound: values[SCORE] for sound, values in scores.items() if SCORE in values}
    own = mious.pop(OWN, None)
    heard = {sound: own is not None and 100 * (own - miou) >= POINTS for sound, miou in mious.items()}
    false = [sound for sound in heard if sound != ORDER]
    if not false:
        return None
    judgement = (
        "listens" if all(heard[s] for s in false) else "listens in part" if any(heard.values()) else "does not listen"
    )
    shown = dict.fromkeys([*(sound for sound in false if sound == "muted"), max(false, key=lambda sound: mious[sound])])
    compared = [f"{score_text(SCORE, own)} with {SOUNDS[OWN]}", *(_with(sound, mious[sound]) for sound in shown)]
    if ORDER in heard and judgement != "does not listen":
        compared.append(f"{_with(ORDER, mious[ORDER])} ({'' if heard[ORDER] else 'not '}followed by the second)")
    return f"{judgement}: {', '.join(compared)}"


def _with(sound: str, miou: float) -> str:
    return f"{score_text(SCORE, miou)} " + ("in silence" if sound == "muted" else f"with {SOUNDS.get(sound, sound)}")
