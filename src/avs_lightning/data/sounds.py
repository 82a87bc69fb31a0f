"""The sounds that a clip is tested with, by their keys in files; what makes them is in `avs_lightning.data.probes`."""

OWN = "true"
SOUNDS: dict[str, str] = {
    OWN: "its own sound",
    "muted": "silence",
    "noise": "white noise",
    "swapped": "another clip's sound",
    "permuted": "its own, seconds permuted",
    "offscreen": "a sound from off screen",
}
