"""Which data a result was computed on, wherever that data lies."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avs_lightning.data.layouts.base import BINARY
from avs_lightning.data.metadata import SPLITS
from avs_lightning.errors import UserError

if TYPE_CHECKING:
    from avs_lightning.data.datamodule import ClipDataModule

Listing = list[tuple[str, list[Path]]]
"""A line for each clip, and its files."""


def data_identity(datamodule: ClipDataModule) -> dict[str, Any]:
    """Return what every record says of its data: "fingerprint", and "synthetic" for whether it was drawn."""
    return {"fingerprint": dataset_fingerprint(datamodule), "synthetic": datamodule.synthetic}


def dataset_fingerprint(datamodule: ClipDataModule) -> str:
    """Return 12 hex digits that are equal for equal data, in any folder.

    They come from the data set's name, the frame size, the classes where they have names, each split's clips as they
    are used (`data.partition`, `data.limit`), their categories, and the content of every frame, labelled mask and sound
    file that is read (`data.audio`), whole. A split that is not there counts as empty, and so does a file.

    Files are read once: what they came to is kept in the user's cache by their paths, sizes and times of change. So
    only a file that was replaced by one of the same size and the same time goes unnoticed.
    """
    head = f"{datamodule.name} {datamodule.image_size}"
    if datamodule.classes != BINARY:
        head += f" {','.join(datamodule.classes)}"
    listing = list(_listing(datamodule))
    kept = cache_folder() / f"{_stamp(head, listing)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(kept.read_text())["fingerprint"])
    found = _content(head, listing)
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        part.write_text(json.dumps({"fingerprint": found}))
        part.replace(kept)
    return found


def cache_folder() -> Path:
    """Return where fingerprints are kept: below XDG_CACHE_HOME or the home."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(cache) / "avs-lightning" / "fingerprints"


def _listing(datamodule: ClipDataModule) -> Iterator[tuple[str, list[Path]]]:
    for split in SPLITS:
        try:
            dataset = datamodule.dataset(split)
        except UserError:
            continue
        for clip in dataset.clips:
            yield f"{split} {clip.split} {clip.category} {clip.id}", list(dataset.files(clip))


def _stamp(head: str, listing: Listing) -> str:
    """What names the present state of all files without reading any."""
    digest = hashlib.sha256(head.encode())
    for line, files in listing:
        digest.update(line.encode())
        for file in files:
            try:
                found = file.stat()
                digest.update(f"\n{file} {found.st_size} {found.st_mtime_ns}".encode())
            except OSError:
                digest.update(f"\n{file}".encode())
    return digest.hexdigest()


def _content(head: str, listing: Listing) -> str:
    digest = hashlib.sha256(head.encode())
    with ThreadPoolExecutor() as pool:  # hashing and reading release the interpreter
        for (line, _), contents in zip(listing, pool.map(lambda item: b"".join(map(_hash, item[1])), listing)):
            digest.update(f"\n{line} ".encode() + contents)
    return digest.hexdigest()[:12]


def _hash(path: Path) -> bytes:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError:
        return bytes(16)
