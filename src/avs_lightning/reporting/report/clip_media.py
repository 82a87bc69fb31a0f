"""The files of one clip, and what runs made of it, as data URIs."""

import base64
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np
import soundfile
from PIL import Image

from avs_lightning.reporting import palette
from avs_lightning.reporting.mask_files import Labels, read_labels
from avs_lightning.reporting.report import overlays
from avs_lightning.run import RunFiles

T = TypeVar("T")
TINTS = {"truth": palette.TRUTH, "prediction": palette.PREDICTION, "muted": palette.MUTED}
RUN_MASKS = ("prediction", "muted")
FRAMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
SOUNDS = {".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac"}


def clip_media(
    entries: Mapping[int, dict[str, Any]], files: Mapping[int, RunFiles], classes: Sequence[str]
) -> tuple[dict[str, Any], dict[int, dict[str, Any]], dict[str, str]]:
    """Read the pictures and the sound of a clip, and what each run made of it.

    Args:
        entries: by run its entry of clips/index.json for the clip.
        files: by run its files; what cannot be shown is noted there.
        classes: by name.

    Returns:
        What is the same in every run, from the first: keys, per second under "frames" and "truth", and one under
        "sound", None where there is nothing to show; under "silent" per second whether nothing sounds, None where that
        is not labelled; of several classes under "classes" the name and colour of those that occur, in any run. By run
        keys per second under "prediction", "muted" and "errors". And the data URIs by key.
    """
    media: dict[str, str] = {}
    first, its = next(iter(entries.items()))
    of_first = files[first]
    names = _names(its, "frames", of_first)
    frames = [_read(name, of_first, lambda data: (data, _frame_kind(data))) for name in names]
    truth = _masks(its, "truth", of_first)
    scene: dict[str, Any] = {
        "frames": [_kept(media, *frame) if frame else None for frame in frames],
        "truth": [_tinted(media, mask, "truth", len(classes)) for mask in truth],
        "silent": [None if mask is None else not mask.any() for mask in truth],
        "sound": None,
    }
    occurring = _numbers(truth)
    if its.get("sound") is not None:
        kind = SOUNDS.get(PurePath(str(its["sound"])).suffix.lower(), "audio/mpeg")
        scene["sound"] = _kept(media, _read(its["sound"], of_first, _checked_sound), kind)
    runs = {}
    for run, entry in entries.items():
        masks = {kind: _masks(entry, kind, files[run]) for kind in RUN_MASKS}
        runs[run] = {kind: [_tinted(media, mask, kind, len(classes)) for mask in masks[kind]] for kind in RUN_MASKS}
        occurring |= _numbers(masks["prediction"])
        runs[run]["errors"] = [
            _kept(media, overlays.errors(true, found), "image/png")
            if true is not None and found is not None and true.shape == found.shape
            else None
            for true, found in zip(truth, masks["prediction"])
        ]
    if len(classes) > 2:
        colours = palette.class_colours(len(classes))
        scene["classes"] = [(classes[n], f"#{bytes(colours[n]).hex()}") for n in sorted(occurring) if n < len(classes)]
    return scene, runs, media


def _masks(entry: dict[str, Any], kind: str, files: RunFiles) -> list[Labels | None]:
    return [_read(name, files, read_labels) for name in _names(entry, kind, files)]


def _numbers(masks: Sequence[Labels | None]) -> set[int]:
    """The classes that occur, without the background."""
    return {int(number) for mask in masks if mask is not None for number in np.unique(mask)} - {0}


def _tinted(media: dict[str, str], mask: Labels | None, kind: str, classes: int) -> str | None:
    if mask is None or mask.max(initial=0) >= classes:
        return None
    return _kept(media, overlays.tinted(mask, palette.class_colours(classes, TINTS[kind])), "image/png")


def _kept(media: dict[str, str], data: bytes | None, kind: str) -> str | None:
    """Put a file into `media`, under the hash of what it holds."""
    if data is None:
        return None
    key = hashlib.sha256(data).hexdigest()[:16]
    media[key] = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return key


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
