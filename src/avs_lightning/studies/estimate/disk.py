"""What runs take on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path


def folder_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; what goes away in the meantime counts nothing."""
    files = [path] if path.is_file() else path.rglob("*")
    total = 0
    for file in files:
        try:
            total += 0 if file.is_symlink() or not file.is_file() else file.stat().st_size
        except OSError:
            continue
    return total


def free_bytes(path: Path) -> int:
    """Return what is free where `path` is or will be."""
    return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists())).free


def spoken_bytes(count: float) -> str:
    """Return a size as people say it: 850 KB, 12 MB, 3.4 GB (powers of ten, as disks are sold)."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 10 * size else f"{count / size:.0f} {unit}"
    return f"{count / 1e3:.0f} KB"
