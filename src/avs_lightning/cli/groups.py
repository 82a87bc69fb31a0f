"""The groups of the packaged configuration and their options. Quick: nothing heavy is imported."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

CONFIG_MODULE = "avs_lightning.conf"


def group_files() -> dict[str, dict[str, Traversable]]:
    """Return the file of each option of each group but Hydra's own, both in order of their names."""
    entries = (entry for entry in files(CONFIG_MODULE).iterdir() if entry.is_dir() and entry.name != "hydra")
    folders = sorted(entries, key=lambda f: f.name)
    found = {
        folder.name: {
            file.name.removesuffix(".yaml"): file
            for file in sorted(folder.iterdir(), key=lambda f: f.name)
            if file.name.endswith(".yaml")
        }
        for folder in folders
    }
    return {group: options for group, options in found.items() if options}


def groups() -> dict[str, list[str]]:
    """Return the options of each group."""
    return {group: list(options) for group, options in group_files().items()}


def groups_of(command: str) -> dict[str, list[str]]:
    """Return the options of each group that a command has."""
    own = set(_chosen(command_file(command)))
    for file in (file for group in sorted(own) for file in group_files().get(group, {}).values()):
        own |= set(_chosen(yaml.safe_load(file.read_text(encoding="utf-8")) or {}))
    return {group: names for group, names in groups().items() if group in own}


def _chosen(content: Any) -> list[str]:
    """Return the groups in which a file's defaults list chooses."""
    chosen = [key for entry in content.get("defaults", []) if isinstance(entry, dict) for key in entry]
    return [key.removeprefix("optional ").strip("/").partition("@")[0] for key in chosen if "override" not in key]


def command_file(command: str) -> Any:
    """Return what the configuration of a command says, groups not composed."""
    return yaml.safe_load((files(CONFIG_MODULE) / f"{command}.yaml").read_text(encoding="utf-8"))
