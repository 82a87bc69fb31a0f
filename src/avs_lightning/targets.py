"""Classes that a configuration names by `_target_`, and which of them something stored may name.

What a user composes from the command line, a study's file or a directory given there is the user's own, and the
processes that this command starts find it in AVS_TRUST. A run folder or a checkpoint can come from anybody: what it
names is built only where it is a class of `PACKAGES` for data, networks or training, or is trusted: by that variable,
or by an entry point of a package that is installed.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from avs_lightning.errors import UserError, near_matches

VARIABLE = "AVS_TRUST"
"""Classes, modules or packages, separated by commas, besides `PACKAGES`."""
ENTRY_POINTS = "avs_lightning.trusted"
"""The group of entry points by which an installed package adds modules of its own to those."""
PACKAGES = ("avs_lightning", "torch", "pytorch_lightning", "lightning", "torchmetrics", "timm", "wandb")
T = TypeVar("T")


def dotted_path(kind: type) -> str:
    """Return the name by which `find_class` finds a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def part_name(options: Mapping[str, Any]) -> str:
    """Return what a part is called that `options` build: its name, else its class's (ReferenceDecoder: reference)."""
    if name := options.get("name"):
        return str(name)
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", str(options.get("_target_")).rpartition(".")[2])
    return "_".join(words[:-1] if words[-1:] in (["Decoder"], ["Head"], ["Method"]) else words).lower()


def find_class(target: Any, key: str, base: type[T]) -> type[T]:
    """Import the class that a setting names.

    Args:
        target: its dotted path.
        key: of the setting.
        base: what it has to derive from.

    Raises:
        UserError: there is none, or it is another kind of class.
    """
    module, dot, name = str(target).rpartition(".")
    if not dot:
        raise UserError(f"{key}={target}: the path of a class is needed, MODULE.CLASS")
    try:
        found = pkgutil.resolve_name(str(target))
    except Exception as error:  # whatever the module that is imported raises
        around = vars(sys.modules.get(module, sys)).items()
        classes = {n for n, kind in around if isinstance(kind, type) and issubclass(kind, base)}
        raise UserError(f"{key}={target} cannot be imported: {error}{near_matches(name, classes)}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{key}={target} is no {base.__name__}")
    return found


def build(options: Mapping[str, Any], key: str, base: type[T], *args: Any, **kwargs: Any) -> T:
    """Build the class that `options["_target_"]` names, with the other options as further arguments.

    Args:
        options: plain values.
        key: of the options, for messages.
        base: what the class has to derive from.
        *args: come first.
        **kwargs: come where the options have no value.

    Raises:
        UserError: there is no such class, or it refuses its arguments.
    """
    given = {**kwargs, **options}
    kind = find_class(given.pop("_target_", None), f"{key}._target_", base)
    try:
        return kind(*args, **given)
    except (TypeError, ValueError, ImportError) as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        names = [unknown[1]] if unknown else [name for name in options if name != "_target_"]
        shown = ", ".join(f"{key}.{name}={given[name]}" for name in names)
        reason = "it has no such setting" if unknown else error
        raise UserError(f"{kind.__name__} cannot be built from {shown or key}: {reason}") from error


def build_parts(group: Mapping[str, Any], key: str, base: type[T], **kwargs: Any) -> list[T]:
    """Build the members of a group, each from its `_target_` and its arguments; one that is None is left out.

    Args:
        group: plain values by name.
        key: of the group.
        base: what each class has to derive from.
        **kwargs: come where a constructor demands them and the options have no value.

    Raises:
        UserError: there is no such class, or it refuses its arguments.
    """
    built = []
    for name, options in ((name, options) for name, options in group.items() if options is not None):
        kind = find_class(options.get("_target_"), f"{key}.{name}._target_", base)
        demanded = {n for n, p in inspect.signature(kind).parameters.items() if p.default is p.empty}
        own = {name: value for name, value in kwargs.items() if name in demanded}
        built.append(build(options, f"{key}.{name}", base, **own))
    return built


def check_targets(content: Any, source: str | Path, own: Sequence[str] = ()) -> None:
    """See that something stored names nothing but classes that may be built.

    Args:
        content: plain values.
        source: where they were stored.
        own: what the user has named, trusted as well.

    Raises:
        UserError: something else is named.
    """
    names = [*_trusted(), *own]
    for key, target in targets(content):
        if not (_below(target, names) or is_building_block(target)):
            module = str(target).rpartition(".")[0] or str(target)
            raise UserError(
                f"{source} names {key}={target}, and is not trusted: of what is stored, only classes of "
                f"{', '.join(PACKAGES)} for data, networks and training are built. If you know that code: "
                f"{VARIABLE}={module} before the command"
            )


def trust_targets(content: Any) -> None:
    """Let the processes that this one starts build what `content`, which the user has composed, names."""
    os.environ[VARIABLE] = ",".join(sorted({*_trusted(), *(str(target) for _, target in targets(content))}))


def targets(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each `_target_` below, with its dotted key."""
    if "omegaconf" in sys.modules:  # a DictConfig cannot be there without, and importing it takes time
        from omegaconf import DictConfig, OmegaConf

        content = OmegaConf.to_container(content) if isinstance(content, DictConfig) else content
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in items:
        inner = f"{key}.{name}".lstrip(".")
        if name == "_target_":
            yield inner, value
        yield from targets(value, inner)


def is_building_block(target: Any) -> bool:
    """Say whether a dotted name is that of a class of `PACKAGES` which a configuration may build by itself.

    A name leads through imported modules to any other (`torch.os.system`), and there are classes that start processes:
    what counts is where a class is defined, and what it derives from.
    """
    parts = str(target).split(".")
    if parts[0] not in PACKAGES or any(part.startswith("_") for part in parts):
        return False
    import pytorch_lightning as pl
    from torch import nn, optim
    from torch.utils.data import Dataset

    kinds = (pl.LightningDataModule, pl.Callback, nn.Module, optim.Optimizer, optim.lr_scheduler.LRScheduler, Dataset)
    try:
        found = pkgutil.resolve_name(str(target))
    except Exception:  # of a module that fails to import
        return False
    loggers = pl.loggers.logger.Logger
    return (
        isinstance(found, type)
        and found.__module__.partition(".")[0] in PACKAGES
        and issubclass(found, (*kinds, loggers))
    )


def _trusted() -> list[str]:
    installed = [entry.value.partition(":")[0] for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    return [*installed, *(name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip())]


def _below(target: Any, names: Sequence[str]) -> bool:
    return any(str(target) == name or str(target).startswith(f"{name}.") for name in names)
