"""The configuration that a run folder holds, as plain values: nothing in it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore

from avs_lightning.cli.overrides import options
from avs_lightning.errors import UserError
from avs_lightning.run.names import CONFIG
from avs_lightning.studies.execution.processes import FROM_RUN_FOLDER

NAME = "run_folder"
DEFAULTS = [{"override hydra/job_logging": "none"}, {"override hydra/hydra_logging": "none"}, "_self_"]
HYDRA = {"run": {"dir": "."}, "output_subdir": None}
FOREIGN = ("hydra", "defaults")
"""Keys by which Hydra would load and build more; no run writes them."""


def without_run_folder(argv: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Take `--run-folder FOLDER` from a command line."""
    folders = [value for option, value in options(argv) if option == FROM_RUN_FOLDER]
    if not folders:
        return None, list(argv)
    at = list(argv).index(FROM_RUN_FOLDER)
    return Path(folders[0]), [*argv[:at], *argv[at + 2 :]]


def offer(folder: Path) -> dict[str, Any]:
    """Make what a folder's config.yaml holds Hydra's configuration `NAME`, and return it.

    Raises:
        UserError: there is none, it is damaged, or it holds what no run writes.
    """
    content = read(folder / CONFIG)
    ConfigStore.instance().store(name=NAME, node={"defaults": DEFAULTS, "hydra": HYDRA, **content})
    return content


def read(file: Path) -> dict[str, Any]:
    """Read a stored configuration.

    Raises:
        UserError: it is damaged, or holds what no run writes.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no configuration: expected settings, key: value")
    if odd := [key for key in FOREIGN if key in content]:
        raise UserError(f"{file} has the key {odd[0]!r}, which no run writes: take it out, if you trust the rest")
    check_plain(content, file)
    return content


def check_plain(content: Any, source: str | Path) -> None:
    """See that nothing in a stored configuration would be evaluated.

    Raises:
        UserError: names what would be.
    """
    for key, text in texts(content):
        if "${" in text:
            raise UserError(f"{source}: {key}={text} is no value, which is all that is stored: put the value there")


def texts(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text below, names of settings too, with its dotted key."""
    if isinstance(content, str):
        yield key, content
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in items:
        inner = f"{key}.{name}".lstrip(".")
        yield inner, str(name)
        yield from texts(value, inner)
