"""Checkpoints to methods: ours rebuild themselves; a released one is told apart by its entries."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.methods.avs.released import ReferenceCheckpoint, describe_reference
from avs_lightning.methods.base import SegmentationMethod
from avs_lightning.methods.published import KEY
from avs_lightning.models.weights import what_is_wrong

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
        raise UserError(
            f"{path} cannot be read as a checkpoint: {what_is_wrong(path, error)}; take another (a run keeps best.ckpt "
            "and last.ckpt)"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def load_method(
    path: str | Path, audio_encoder: Mapping[str, Any] | None = None, fusion: Mapping[str, Any] | None = None
) -> SegmentationMethod:
    """Rebuild a method from a checkpoint, in evaluation mode: `load_method(path)(batch).logits` of a `ClipBatch`.

    Args:
        path: a checkpoint of this package, or one of the released code (ResNet-50 or PVT-v2, any TPAVI stages); or the
            folder of a run, for its best checkpoint.
        audio_encoder: arguments of `build_audio_encoder` for a released checkpoint, which has none of its own.
        fusion: `audio` and `visual`, what TPAVI attends to, which a released checkpoint does not tell; None, and values
            that are None: its sound alone.

    Raises:
        UserError: the file is damaged, its entries are not those of the network it names, or `fusion` contradicts the
            checkpoint.
    """
    path = Path(path)
    path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
    return rebuild(read_checkpoint(path), path, audio_encoder, fusion)


def rebuild(
    content: Mapping[str, Any],
    path: str | Path,
    audio_encoder: Mapping[str, Any] | None = None,
    fusion: Mapping[str, Any] | None = None,
) -> SegmentationMethod:
    """Rebuild a method from what `read_checkpoint` returned, see `load_method`."""
    fusion = dict(fusion or {})
    for name, value in fusion.items():
        if value not in (True, False, None):
            raise UserError(f"fusion.{name}={value}: true or false is needed here, or null for what is usual")
    if is_released(content):
        return _from_reference(path, content, audio_encoder, fusion)
    kind = content.get("avs_method")
    if kind not in METHODS:
        raise UserError(f"{path} was written by the method {kind!r}; this package has {', '.join(METHODS)}")
    trained = {"audio": True, "visual": False, **content["hyper_parameters"].get("network", {})}
    for key, value in fusion.items():
        if value not in (None, trained[key]):
            raise UserError(
                f"fusion.{key}={str(value).lower()}: {path} carries its own network, which was trained with "
                f"{str(trained[key]).lower()}; leave the setting out, it is for checkpoints of the released code"
            )
    try:
        method = METHODS[kind](**without_weights(content["hyper_parameters"], content.get(KEY, ())))
        entries = method.entries_of(content)
    except UserError as error:
        raise UserError(f"{path} cannot be rebuilt: {error}") from error
    load_entries(method, entries, path)
    return method.eval()


def is_released(content: Mapping[str, Any]) -> bool:
    """Say whether what a checkpoint holds is of the released code: entries, and nothing about the network."""
    return "hyper_parameters" not in content


def without_weights(hyper_parameters: Mapping[str, Any], published: Container[str] = ()) -> dict[str, Any]:
    """Return the hyper-parameters with no weights to fetch but those that the checkpoint names as published."""
    plain = {key: dict(value) if isinstance(value, Mapping) else value for key, value in hyper_parameters.items()}
    for part in ("network", "audio_encoder"):
        if part in plain and part not in published:
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


@dataclass(frozen=True)
class Start:
    """What a method has taken from a checkpoint.

    Attributes:
        released: the checkpoint is of the released code.
        taken: names of entries that were taken over.
        kept: names of entries that keep their values.
        left: names of the checkpoint's entries that the method has no place for.
    """

    released: bool
    taken: Sequence[str]
    kept: Sequence[str]
    left: Sequence[str]


def start_from(method: SegmentationMethod, path: str | Path) -> Start:
    """Initialise a method from a checkpoint, ours or a released one: every entry that matches by name and shape.

    This is the paper's "pretrained on Single-source". What it was pretrained for is the encoder: that has to fit whole,
    while fusion, decoder and the rest may be others.

    Raises:
        UserError: the file is damaged, or holds another encoder.
    """
    content = read_checkpoint(path)
    released = is_released(content)
    if released:
        entries = {f"network.{name}": value for name, value in _reference(path, content).entries.items()}
    else:
        alike = content.get(KEY, {}).items() <= method.published.items()
        entries = method.entries_of(content) if alike else rebuild(content, path).state_dict()
    own = method.state_dict()
    taken = {name: value for name, value in entries.items() if name in own and own[name].shape == value.shape}
    needed = [name for name in own if name.startswith("network.encoder.")] or list(own)
    if missing := [name for name in needed if name not in taken]:
        trained = content.get("hyper_parameters", {}).get("network", {}).get("encoder")
        raise UserError(
            f"init.checkpoint={path} holds another encoder{f' ({trained})' if trained else ''}: {len(missing)} of the "
            f"{len(needed)} entries of this one are not in it by name and shape, such as {missing[0]}; choose the "
            "encoder that it was trained with (encoder=...), or a checkpoint of this one"
        )
    method.load_state_dict(taken, strict=False)
    return Start(released, sorted(taken), sorted(set(own) - set(taken)), sorted(set(entries) - set(taken)))


def _reference(path: str | Path, content: Mapping[str, Any]) -> ReferenceCheckpoint:
    try:
        return describe_reference(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _from_reference(
    path: str | Path,
    content: Mapping[str, Any],
    audio_encoder: Mapping[str, Any] | None,
    fusion: Mapping[str, bool | None],
) -> AVSMethod:
    reference = _reference(path, content)
    network = {
        "encoder": reference.encoder,
        "weights": "none",
        "stages": list(reference.stages),
        "audio": fusion.get("audio") is not False,
        "visual": bool(fusion.get("visual")),
    }
    method = AVSMethod(
        network=network,
        audio_encoder=dict(audio_encoder or {"name": "vggish", "weights": "vggish", "frozen": True}),
        loss={"avm": "audio", "avm_weight": 0.0, "avm_distance": "kl"},
        optimizer={"name": "adam", "lr": 1e-4},
    )
    load_entries(method.network, reference.entries, path)
    return method.eval()
