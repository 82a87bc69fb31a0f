"""Frozen published weights: a checkpoint names them by their hash instead of holding them once more."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from avs_lightning.errors import UserError

KEY = "avs_published"
"""Where a checkpoint holds, by submodule, the hash of what it leaves out."""


def entries_hash(entries: Mapping[str, Tensor]) -> str:
    """Return the sha256 of a state dict's names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in entries.items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def leave_out(checkpoint: dict[str, Any], published: Mapping[str, str]) -> None:
    """Take those parts out of a checkpoint that still are as they were published, and name them by their hash."""
    entries = checkpoint["state_dict"]
    for part, published_hash in published.items():
        own = {name.removeprefix(f"{part}."): entries[name] for name in entries if name.startswith(f"{part}.")}
        if entries_hash(own) == published_hash:  # else weights of another training were loaded into it
            checkpoint.setdefault(KEY, {})[part] = published_hash
            for name in own:
                del entries[f"{part}.{name}"]


def whole_entries(checkpoint: Mapping[str, Any], module: nn.Module, published: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the entries of a checkpoint, with those that it leaves out as they are in `module`.

    Args:
        checkpoint: what a checkpoint file holds.
        module: built with published weights.
        published: the hashes of these weights.

    Raises:
        UserError: the checkpoint leaves out other weights than `module` has.
    """
    entries: dict[str, Tensor] = dict(checkpoint["state_dict"])
    for part, needed in checkpoint.get(KEY, {}).items():
        if getattr(module, part, None) is None:
            continue  # such as the audio encoder, for a network that does not hear
        if published.get(part) != needed:
            raise UserError(
                f"the checkpoint was trained with other weights of its {part.replace('_', ' ')} than there are here "
                f"(sha256 {needed[:12]}..., here {published.get(part, 'none')[:12]}): it names the published ones "
                "without holding them"
            )
        entries |= {f"{part}.{name}": value for name, value in module.get_submodule(part).state_dict().items()}
    return entries
