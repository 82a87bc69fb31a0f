"""Checkpoints to methods: ours rebuild themselves; a released one is told apart by its entries."""

import inspect
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from avs_lightning.errors import UserError
from avs_lightning.methods.base import SegmentationMethod
from avs_lightning.methods.published import KEY
from avs_lightning.models.weights import load_entries, what_is_wrong
from avs_lightning.run.names import BEST
from avs_lightning.targets import check_targets, find_class

RELEASED = "avs_lightning.methods.avs.AVSMethod"


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


def load_method(path: str | Path, **groups: Any) -> SegmentationMethod:
    """Rebuild a method from a checkpoint, in evaluation mode: `load_method(path)(batch).logits` of a `ClipBatch`.

    Args:
        path: a checkpoint of this package, or one of the released AVS (ResNet-50 or PVT-v2, any TPAVI stages); or the
            folder of a run, for its best checkpoint.
        **groups: what a released checkpoint does not tell: further arguments of its method's `from_released`.

    Raises:
        UserError: the file is damaged, names code that is not trusted, its entries are not those of the network it
            names, or `groups` contradicts it.
    """
    path = Path(path)
    path = path / BEST if path.is_dir() else path
    content = read_checkpoint(path)
    method = rebuild(content, path, groups)
    try:
        method.reconcile(groups, is_released(content))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return method


def rebuild(
    content: Mapping[str, Any], path: str | Path, groups: Mapping[str, Any] | None = None
) -> SegmentationMethod:
    """Rebuild a method from what `read_checkpoint` returned, in evaluation mode.

    Args:
        content: what the checkpoint holds.
        path: of the checkpoint.
        groups: by name, what a released checkpoint needs besides.

    Raises:
        UserError: it names code that is not trusted, or its entries are not those of the network it names.
    """
    if not is_released(content):
        check_targets({"avs_method": {"_target_": content.get("avs_method")}, **content["hyper_parameters"]}, path)
    try:
        if is_released(content):
            kind = released_kind()
            return kind.from_released(content, **group_arguments(kind.from_released, groups or {})).eval()
        kind = find_class(content["avs_method"], "avs_method", SegmentationMethod)  # type: ignore[type-abstract]
        method = kind(**without_weights(content["hyper_parameters"], content.get(KEY, ())))
        load_entries(method, method.entries_of(content), "the checkpoint")
    except UserError as error:
        raise UserError(f"{path} cannot be rebuilt: {error}") from error
    return method.eval()


def is_released(content: Mapping[str, Any]) -> bool:
    """Say whether what a checkpoint holds is of the released code: entries, and nothing about the network."""
    return "hyper_parameters" not in content


def released_kind() -> type[SegmentationMethod]:
    """Return the method of which checkpoints of other code are."""
    return find_class(RELEASED, "avs_method", SegmentationMethod)  # type: ignore[type-abstract]


def group_arguments(function: Callable[..., Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return those groups of a configuration that a function takes as arguments of the same name."""
    return {name: groups[name] for name in inspect.signature(function).parameters if name in groups}


def without_weights(hyper_parameters: Mapping[str, Any], published: Container[str] = ()) -> dict[str, Any]:
    """Return arguments of a method with no weights to fetch but those of the submodules `published`.

    A setting called `weights` names what would be fetched.
    """

    def plain(name: str, value: Any) -> Any:
        if not isinstance(value, Mapping) or name in published:
            return value
        return {key: "none" if key == "weights" else plain(key, inner) for key, inner in value.items()}

    return {name: plain(name, value) for name, value in hyper_parameters.items()}


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
    try:
        if released:
            entries = type(method).released_entries(content)
        elif all(
            getattr(method, part, None) is None or method.published.get(part) == sha
            for part, sha in content.get(KEY, {}).items()
        ):
            entries = method.entries_of(content)
        else:
            entries = rebuild(content, path).state_dict()
    except UserError as error:
        raise UserError(f"init.checkpoint={path}: {error}") from error
    own = method.state_dict()
    taken = {name: value for name, value in entries.items() if name in own and own[name].shape == value.shape}
    needed = [name for name in own if name.startswith(method.start_prefix)]
    if missing := [name for name in needed if name not in taken]:
        trained = (content.get("hyper_parameters", {}).get("encoder") or {}).get("name")
        raise UserError(
            f"init.checkpoint={path} holds another encoder{f' ({trained})' if trained else ''}: {len(missing)} of the "
            f"{len(needed)} entries of this one are not in it by name and shape, such as {missing[0]}; choose the "
            "encoder that it was trained with (encoder=...), or a checkpoint of this one"
        )
    method.load_state_dict(taken, strict=False)
    return Start(released, sorted(taken), sorted(set(own) - set(taken)), sorted(set(entries) - set(taken)))
