"""The files of one clip as data URIs."""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TypeVar

import soundfile
from PIL import Image

from avs_lightning.reporting.report import overlays
from avs_lightning.reporting.report.run_files import RunFiles

T = TypeVar("T")
TINTS = {"truth": overlays.TRUTH, "prediction": overlays.PREDICTION, "muted": overlays.MUTED}
FRAMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
SOUNDS = {".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac"}


def clip_media(entry: dict[str, Any], files: RunFiles) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the pictures and the sound of an entry of clips/index.json.

    Args:
        entry: the entry.
        files: the run's files; what cannot be shown is noted there.

    Returns:
        Keys, per second under "frames", "truth", "prediction", "muted" and "errors", and one under "sound", None where
        there is nothing to show; and the data URIs by key.
    """
    media: dict[str, str] = {}

    def kept(data: bytes | None, kind: str) -> str | None:
        if data is None:
            return None
        key = hashlib.sha256(data).hexdigest()[:16]
        media[key] = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return key

    keys: dict[str, Any] = {"frames": [], "sound": None}
    for name in _names(entry, "frames", files):
        frame = _read(name, files, lambda data: (data, _frame_kind(data)))
        keys["frames"].append(kept(*frame) if frame else None)
    masks = {kind: [_read(name, files, overlays.read_mask) for name in _names(entry, kind, files)] for kind in TINTS}
    for kind, colour in TINTS.items():
        keys[kind] = [
            kept(None if mask is None else overlays.tinted(mask, colour), "image/png") for mask in masks[kind]
        ]
    keys["errors"] = [
        kept(overlays.errors(truth, found), "image/png")
        if truth is not None and found is not None and truth.shape == found.shape
        else None
        for truth, found in zip(masks["truth"], masks["prediction"])
    ]
    if entry.get("sound") is not None:
        sound = _read(entry["sound"], files, _checked_sound)
        kind = SOUNDS.get(PurePath(str(entry["sound"])).suffix.lower(), "audio/mpeg")
        keys["sound"] = kept(sound, kind)
    return keys, media


def _names(entry: dict[str, Any], kind: str, files: RunFiles) -> list[Any]:
    names = entry.get(kind)
    if isinstance(names, list):
        return names
    if names is not None:
        files.damaged.append(f"clips/index.json: {kind} of {entry.get('id')} is no list")
    return []


def _read(name: Any, files: RunFiles, read: Callable[[bytes], T]) -> T | None:
    """Read a file of clips/; a name that leads out of that folder is damage, not a file."""
    if name is None:
        return None
    if (
        not isinstance(name, str)
        or name in ("", ".", "..")
        or PurePath(name).name != name
        or "\\" in name
        or "\0" in name
    ):
        files.damaged.append(f"clips/index.json: {name!r} is no file name")
        return None
    data = files.data(f"clips/{name}")
    if data is None:
        return None
    try:
        return read(data)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, soundfile.SoundFileError) as error:
        files.damaged.append(f"clips/{name}: cannot be read ({' '.join(str(error).split())[:120]})")
        return None


def _frame_kind(data: bytes) -> str:
    with Image.open(io.BytesIO(data), formats=tuple(FRAMES)) as picture:
        picture.load()
        return FRAMES[str(picture.format)]


def _checked_sound(data: bytes) -> bytes:
    if soundfile.info(io.BytesIO(data)).frames == 0:
        raise ValueError("it holds no sound")
    return data
