"""Weights on disk and on the net: load a state dict, executing nothing; download a file, trusting its checksum only."""

from __future__ import annotations

import hashlib
import http.client
import os
import pickle
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from torch import Tensor, nn

from avs_lightning.errors import UserError, shortened

CHUNK = 1 << 20
WRAPPERS = ("state_dict", "model")


def load_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a .pth, .pt, .ckpt or .safetensors file, executing nothing.

    `{"state_dict": ...}` and `{"model": ...}` are unwrapped, and the `module.` of DataParallel is taken off.

    Raises:
        UserError: the file is missing, damaged, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no weights file {path}")
    try:
        if path.suffix == ".safetensors":
            content = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the damaged bytes lead it to
        raise UserError(f"{path} cannot be read as weights: {what_is_wrong(path, error)}; fetch it again") from error
    return tensors_of(content, path)


def what_is_wrong(path: Path, error: Exception) -> str:
    """Say what a file is that torch cannot read, from its first bytes where these tell."""
    with path.open("rb") as file:
        start = file.read(200).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS and not the file itself, which git lfs pull brings"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, saved in place of the file"
    reason = (str(error).splitlines() or [""])[0]
    # torch's own advice is to give up the safety
    known = type(error).__name__ if isinstance(error, pickle.UnpicklingError) else f"{type(error).__name__}: {reason}"
    return f"it is damaged, cut short, or holds more than tensors ({known})"


def tensors_of(content: Any, source: str | Path = "the checkpoint") -> dict[str, Tensor]:
    """Unwrap a state dict, and take off the `module.` of DataParallel.

    Raises:
        UserError: there are no tensors by name inside.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(f"{source} holds a {type(content).__name__} that is no state dict (tensors by name)")
    return {name.removeprefix("module."): value for name, value in content.items()}


def fetch(url: str, path: str | Path, sha256: str) -> Path:
    """Download a file once.

    It is written beside `path` and renamed when its checksum is right, so that `path` is whole or not there.

    Args:
        url: where it is.
        path: where it goes; a file that is there already is used, if its checksum is right.
        sha256: the checksum in hex digits, or the first of them (as in the file names of torch.hub).

    Raises:
        UserError: it cannot be downloaded or stored, or is another file than expected.
    """
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            if (found := hashlib.file_digest(file, "sha256").hexdigest()).startswith(sha256):
                return path
        raise UserError(
            f"{path} is not the file expected: its sha256 is {found}, not {sha256}...; delete it, to fetch {url}"
        )
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            found = _download(url, file, path.name)
        if not found.startswith(sha256):
            raise UserError(f"{url} is not the file expected: its sha256 is {found}, not {sha256}...; {_cure(path)}")
        part.replace(path)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"{url} cannot be downloaded to {path} ({error}); {_cure(path)}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _download(url: str, file: BinaryIO, name: str) -> str:
    """Write `url` into `file`, with a progress bar; returns the sha256."""
    digest, received = hashlib.sha256(), 0
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with urllib.request.urlopen(url, timeout=30) as response, Progress(*columns, console=Console(stderr=True)) as bar:
        size = int(response.headers["Content-Length"]) if response.headers["Content-Length"] else None
        task = bar.add_task(name, total=size)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            bar.update(task, completed=received)
    if size is not None and received < size:
        raise ConnectionError(f"the connection ended after {received} of {size} bytes")
    return digest.hexdigest()


def _cure(path: Path) -> str:
    return (
        f"get the file by other means and put it at {path}; a new training can also name where it is (weights=FILE) "
        "or start from random weights (weights=none)"
    )


def rename_to_ours(
    state_dict: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    rename: Callable[[str], str],
    what: str,
    unused: Callable[[str], bool] = lambda name: False,
) -> dict[str, Tensor]:
    """Select from a foreign state dict the entries of `own`, under the names of `own`.

    Counts of batches, which old files do not hold, are taken from `own`.

    Args:
        state_dict: the foreign entries, wrapped or not, with `module.` or not.
        own: the entries wanted, by our names.
        rename: our name -> the foreign name.
        what: the network, for the error.
        unused: foreign names that may be there and are left out.

    Raises:
        UserError: entries are missing, unexpected or of another shape: lists them.
    """
    foreign = tensors_of(state_dict)
    names = {rename(name): name for name in own}
    wanted = {n: own[name] for n, name in names.items() if n in foreign or not n.endswith("num_batches_tracked")}
    given = {n: value for n, value in foreign.items() if n in names or not unused(n)}
    if wrong := mismatches(wanted, given):
        raise UserError(f"the state dict does not fit {what}: {'; '.join(shortened(wrong))}")
    return {name: foreign.get(theirs, own[name]) for theirs, name in names.items()}


def load_renamed(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    what: str,
    rename: Callable[[str], str] = str,
    **options: Callable,
) -> None:
    """Load a foreign state dict; arguments and errors are those of `rename_to_ours`."""
    module.load_state_dict(rename_to_ours(state_dict, module.state_dict(), rename, what, **options))


def mismatches(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Return a line for each entry that is missing, unexpected or of another shape."""
    lines = [f"missing {name}" for name in wanted if name not in given]
    lines += [f"unexpected {name}" for name in given if name not in wanted]
    both = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    return lines + [f"{name} is {list(given[name].shape)}, expected {list(wanted[name].shape)}" for name in both]


def load_entries(module: nn.Module, entries: Mapping[str, Tensor], path: str | Path) -> None:
    """Load a state dict strictly.

    Raises:
        UserError: entries are missing, unexpected or of another shape: lists them.
    """
    if wrong := mismatches(module.state_dict(), entries):
        raise UserError(f"{path} is a checkpoint of another architecture: {'; '.join(shortened(wrong))}")
    module.load_state_dict(dict(entries))
