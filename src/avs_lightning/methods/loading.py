"""Checkpoints to methods: ours rebuild themselves; a released one is told apart by its entries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avs_lightning.checkpoints import ReferenceCheckpoint, describe_reference
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.methods.base import SegmentationMethod

METHODS: dict[str, type[SegmentationMethod]] = {"AVSMethod": AVSMethod}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file, executing nothing.

    Raises:
        UserError: the file is missing, damaged, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"there is no checkpoint {path}; a run leaves checkpoints/best.ckpt and checkpoints/last.ckpt in its folder"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the damaged bytes lead it to
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}: {reason}): "
            "it is damaged, cut short, or holds more than tensors; take another (a run keeps best.ckpt and last.ckpt)"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def load_method(path: str | Path, audio_encoder: Mapping[str, Any] | None = None) -> SegmentationMethod:
    """Rebuild a method from a checkpoint, in evaluation mode.

    Args:
        path: a checkpoint of this package, or one of the released code (ResNet-50 or PVT-v2, any TPAVI stages).
        audio_encoder: arguments of `build_audio_encoder` for a released checkpoint, which has none of its own.

    Raises:
        UserError: the file is damaged, or its entries are not those of the network it names.
    """
    content = read_checkpoint(path)
    if "hyper_parameters" not in content:
        return _from_reference(path, content, audio_encoder)
    name = content.get("avs_method")
    if name not in METHODS:
        raise UserError(f"{path} was written by the method {name!r}; this package has {', '.join(METHODS)}")
    method = METHODS[name](**without_weights(content["hyper_parameters"]))
    load_entries(method, content["state_dict"], path)
    return method.eval()


def without_weights(hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters with no weights to fetch: the checkpoint holds them all."""
    plain = {key: dict(value) if isinstance(value, Mapping) else value for key, value in hyper_parameters.items()}
    for part in ("network", "audio_encoder"):
        if part in plain:
            plain[part]["weights"] = "none"
    return plain


def load_entries(module: nn.Module, entries: Mapping[str, Tensor], path: str | Path) -> None:
    """Load a state dict strictly.

    Raises:
        UserError: entries are missing, unexpected or of another shape: lists them.
    """
    own = module.state_dict()
    wrong = [f"missing {name}" for name in own if name not in entries]
    wrong += [f"unexpected {name}" for name in entries if name not in own]
    wrong += [
        f"{name} is {list(entries[name].shape)}, expected {list(own[name].shape)}"
        for name in own
        if name in entries and entries[name].shape != own[name].shape
    ]
    if wrong:
        shown = "; ".join(wrong[:8]) + (f"; and {len(wrong) - 8} more" if len(wrong) > 8 else "")
        raise UserError(f"{path} is a checkpoint of another architecture: {shown}")
    module.load_state_dict(dict(entries))


def start_from(method: SegmentationMethod, path: str | Path) -> tuple[list[str], list[str]]:
    """Initialise a method from a checkpoint, ours or a released one: every entry that matches by name and shape.

    This is the paper's "pretrained on Single-source".

    Returns:
        The names that were taken over, and the names that keep their values.

    Raises:
        UserError: the file is damaged, or nothing in it matches.
    """
    content = read_checkpoint(path)
    if "hyper_parameters" in content:
        entries = content["state_dict"]
    else:
        entries = {f"network.{name}": value for name, value in _reference(path, content).entries.items()}
    own = method.state_dict()
    taken = {name: value for name, value in entries.items() if name in own and own[name].shape == value.shape}
    if not any(name.startswith("network.") for name in taken):
        raise UserError(
            f"{path}: none of its {len(entries)} entries fits this network by name and shape; "
            "is it of another architecture?"
        )
    method.load_state_dict(taken, strict=False)
    return sorted(taken), sorted(set(own) - set(taken))


def _reference(path: str | Path, content: dict[str, Any]) -> ReferenceCheckpoint:
    try:
        return describe_reference(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _from_reference(path: str | Path, content: dict[str, Any], audio_encoder: Mapping[str, Any] | None) -> AVSMethod:
    reference = _reference(path, content)
    network = {"encoder": reference.encoder, "weights": "none", "stages": list(reference.stages)}
    method = AVSMethod(
        network=network,
        audio_encoder=dict(audio_encoder or {"name": "vggish", "weights": "vggish", "frozen": True}),
        loss={"avm": "audio", "avm_weight": 0.0, "avm_distance": "kl"},
        optimizer={"name": "adam", "lr": 1e-4},
    )
    load_entries(method.network, reference.entries, path)
    return method.eval()
