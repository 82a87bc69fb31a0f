"""The sounds that a clip is tested with, by their keys in files; what makes them is in `avs_lightning.data.probes`."""

from collections.abc import Sequence
from pathlib import Path

from avs_lightning.errors import UserError, choose

OWN = "true"
OFFSCREEN = "offscreen"
SOUNDS: dict[str, str] = {
    OWN: "its own sound",
    "muted": "silence",
    "noise": "white noise",
    "swapped": "another clip's sound",
    "permuted": "its own, seconds permuted",
    OFFSCREEN: "a sound from off screen",
}
PROBES = tuple(sound for sound in SOUNDS if sound != OWN)


def probe_names(probes: str | Sequence[str] | None, sounds: str | Path | None = None) -> list[str]:
    """Return the names of the probes that the setting `probes` stands for; no file is looked at.

    Args:
        probes: "all", "none", None, a name or a list of names; "all" has "offscreen" where there are `sounds`.
        sounds: a folder of wav files for "offscreen" (the setting `probe_sounds`).

    Raises:
        UserError: there is no such probe, or "offscreen" is asked for without `sounds`.
    """
    asked = [probes] if isinstance(probes, str) else list(probes or [])
    if asked == ["none"]:
        asked = []
    if "all" in asked:
        every = [name for name in PROBES if name != OFFSCREEN or sounds is not None]
        asked = [*every, *(name for name in asked if name != "all")]
    for name in asked:
        choose(name, PROBES, "probes", ", or all or none of them")
    if OFFSCREEN in asked and sounds is None:
        raise UserError("the audio probe 'offscreen' needs sounds: probe_sounds=FOLDER (of wav files), or leave it out")
    return list(dict.fromkeys(asked))
