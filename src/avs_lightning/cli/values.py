"""A composed configuration against `SETTINGS`: values of the wrong kind, and keys that nothing reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from avs_lightning.cli.groups import group_files
from avs_lightning.cli.settings import OWN_TRAINER, SETTINGS
from avs_lightning.errors import UserError, near_matches
from avs_lightning.kinds import Unfit

OURS = "avs_lightning."
MISSING = "???"
PARTS = ("callbacks", "logger")
"""Groups of classes, each under a name of its own; null stands for none."""


def check_values(cfg: DictConfig, stored: Mapping[str, Any] | None = None) -> None:
    """Check every value, and put in what it stands for: a number given as a name becomes a text, `~` a home.

    Args:
        cfg: as composed, interpolations and all.
        stored: what the folder of a run holds whose configuration this is; its keys are known.

    Raises:
        UserError: a value of another kind than the setting takes, or a key that nothing reads.
    """
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    plain, raw = [cast(dict[str, Any], OmegaConf.to_container(own, resolve=resolve)) for resolve in (True, False)]
    literal = {key for key, value in leaves(raw) if "${" not in str(value)}
    foreign = [node for node in ("data", "method") if _is_foreign(plain.get(node))]
    if "method" in foreign:  # its groups are its own, too
        foreign += [node for node in plain if not (node in SETTINGS or _has_settings(node))]
    for key, given in sorted(leaves(plain), key=lambda leaf: leaf[0] not in literal):  # the cause, then what follows
        group, _, member = key.partition(".")
        if group in foreign or (group in PARTS and given is None and "." not in member):
            continue
        if key not in SETTINGS:
            refuse_unread(key, cfg, plain, stored or {})
            continue
        read = value_of(key, given)
        if read != given:
            with open_dict(cfg):
                OmegaConf.update(cfg, key, read, merge=False)


def value_of(key: str, given: Any) -> Any:
    """Return the value to use for a setting.

    Raises:
        UserError: it is of another kind.
    """
    kind = SETTINGS[key]
    if given == MISSING:
        return given
    try:
        return kind.read(given)
    except Unfit:
        close = near_matches(str(given), kind.choices)
        shown = "null" if given is None else str(given).lower() if isinstance(given, bool) else given
        raise UserError(f"{key}={shown}: expected {kind.words}{close}") from None


def leaves(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings of a configuration: what `SETTINGS` has, and below all else each value."""
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and (key not in SETTINGS or _has_settings(key)):
            yield from leaves(value, f"{key}.")
        elif isinstance(value, Mapping) and not value and key not in SETTINGS:
            continue
        else:
            yield key, value


def refuse_unread(key: str, cfg: DictConfig, plain: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Refuse a key that is no setting, unless another setting takes its value from it.

    Raises:
        UserError: nothing reads it.
    """
    if _has_settings(key):
        raise UserError(f"{key}={OmegaConf.select(cfg, key)}: expected settings, {{name: value, ...}}")
    if key.startswith("launcher.") and plain["launcher"].get("name") == "slurm":
        return  # it has a schema of its own, which knows what is said elsewhere
    if key in packaged_keys() or _is_named(key, cfg) or _is_argument(key, plain):
        return
    if OmegaConf.select(OmegaConf.create(dict(stored)), key) is not None:
        return
    parts = key.split(".")
    odd = next(name for n in range(1, len(parts) + 1) if not _has_settings(name := ".".join(parts[:n])))
    if odd.removeprefix("trainer.") in OWN_TRAINER:
        raise UserError(f"{odd} cannot be set: avs gives the Trainer that argument itself")
    raise UserError(f"there is no setting {odd!r}: nothing reads it{near_setting(odd)}")


@cache
def packaged_keys() -> dict[str, list[str]]:
    """Return the keys of every option of every group in `conf/`, with the options that have them."""
    keys: dict[str, list[str]] = {}
    for group, options in group_files().items():
        for option, file in options.items():
            text = file.read_text(encoding="utf-8")
            prefix = "" if "@package _global_" in text else f"{group}."
            for key, _ in leaves(yaml.safe_load(text) or {}, prefix):
                keys.setdefault(key, []).append(f"{group}={option}")
    return keys


def near_setting(key: str) -> str:
    """Return "; did you mean ...?" for the settings and groups that look like a mistyped key, or nothing."""
    node, dot, last = key.rpartition(".")
    nodes = {name.rpartition(".")[0] for name in SETTINGS} - {""}
    siblings = {name[len(node + dot) :].partition(".")[0] for name in SETTINGS if name.startswith(node + dot)}
    close = near_matches(last, siblings, most=3)
    if close and dot:
        close = close.replace("mean ", f"mean {node}.").replace(", ", f", {node}.")
    return close or near_matches(key, {*SETTINGS, *nodes}) or near_matches(last, {*SETTINGS, *nodes})


def _has_settings(key: str) -> bool:
    return any(name.startswith(f"{key}.") for name in SETTINGS)


def _is_foreign(node: Any) -> bool:
    """Say whether a node builds a class of the user's own, whose arguments are its own."""
    target = node.get("_target_", OURS) if isinstance(node, Mapping) else OURS
    return isinstance(target, str) and not target.startswith(OURS)


def _is_argument(key: str, plain: Mapping[str, Any]) -> bool:
    """Say whether a key is an argument of a class that is built by `_target_`, which knows its arguments itself.

    Those of a data set and a method of ours are all settings.
    """
    node: Any = plain
    for name in key.split(".")[:-1]:
        node = node.get(name)
        if not isinstance(node, Mapping):
            return False
        if "_target_" in node and node not in (plain.get("data"), plain.get("method")):
            return True
    return False


def _is_named(key: str, cfg: DictConfig) -> bool:
    named = re.findall(r"\$\{([\w.]+)\}", OmegaConf.to_yaml(cfg))
    return any(key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.") for name in named)
