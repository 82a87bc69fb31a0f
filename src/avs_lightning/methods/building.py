"""From a configuration to a method: its arguments are settings, groups and facts of the data."""

import inspect
from collections.abc import Mapping
from typing import Any

from avs_lightning.data import ClipDataModule
from avs_lightning.errors import UserError
from avs_lightning.methods.base import SegmentationMethod
from avs_lightning.methods.loading import without_weights
from avs_lightning.methods.published import KEY
from avs_lightning.targets import dotted_path, find_class

FACTS = ("image_size", "frames", "classes")
"""What a method may want to know of its data, by the names that data modules have."""


def build_method(
    config: Mapping[str, Any], data: ClipDataModule, checkpoint: Mapping[str, Any] | None = None
) -> SegmentationMethod:
    """Build the method that a configuration names, with pretrained weights.

    Args:
        config: resolved, plain values.
        data: that the method is to work on.
        checkpoint: what the run goes on from, and takes its weights from instead; an empty one for weights as drawn.

    Raises:
        UserError: there is no such method, or it refuses its arguments.
    """
    kind = method_kind(config)
    arguments = method_arguments(kind, config, data)
    if checkpoint is not None:
        arguments = without_weights(arguments, checkpoint.get(KEY, ()))
    try:
        return kind(**arguments)
    except TypeError as error:
        raise UserError(f"method._target_={dotted_path(kind)} cannot be built from these settings: {error}") from error


def method_kind(config: Mapping[str, Any]) -> type[SegmentationMethod]:
    """Return the class that `method._target_` names.

    Raises:
        UserError: there is none.
    """
    return find_class(config["method"].get("_target_"), "method._target_", SegmentationMethod)  # type: ignore[type-abstract]


def method_arguments(kind: type[SegmentationMethod], config: Mapping[str, Any], data: ClipDataModule) -> dict[str, Any]:
    """Return the arguments of a method: what `method` says, else the group of that name, else a fact of the data."""
    bases = [base for base in kind.__mro__ if issubclass(base, SegmentationMethod)]
    names = {name for base in bases for name in inspect.signature(base).parameters}
    facts = {name: getattr(data, name) for name in FACTS if name in names}
    groups = {name: node for name, node in config.items() if isinstance(node, Mapping) and name in names}
    own = {name: value for name, value in config["method"].items() if name != "_target_"}
    return {**facts, **groups, **own}
