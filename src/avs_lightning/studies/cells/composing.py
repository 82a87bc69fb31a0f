"""From points of a grid to cells: what composes a configuration is handed in, so that nothing here knows Hydra."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.studies.cells.cell import STORE, Cell, build_cell
from avs_lightning.training.named_folders import name_folders_from_the_root


@dataclass(frozen=True)
class Composed:
    """A configuration and what was chosen in each group.

    Attributes:
        config: unresolved.
        choices: by group, e.g. {"data": "ms3", ...}.
    """

    config: DictConfig
    choices: Mapping[str, str]


Compose = Callable[[Sequence[str]], Composed]


@dataclass(frozen=True)
class Request:
    """A cell to be: its name, what it stands for, and the overrides that make its configuration."""

    name: str
    parameters: Mapping[str, str]
    overrides: Sequence[str]


def compose_cells(requests: Sequence[Request], compose: Compose, study: str, command: str = "train") -> list[Cell]:
    """Compose every cell, with the cell that one without a checkpoint to start from (`init=single_source`) starts from.

    Raises:
        UserError: a configuration that does not compose, or a start without a parent.
    """
    return [_compose_cell(request, compose, study, command) for request in requests]


def runs_folder(config: DictConfig) -> Path:
    """Return where the runs of a configuration go."""
    return Path(config.paths.runs_dir).resolve()


def parent_overrides(overrides: Sequence[str], composed: Composed) -> list[str]:
    """Return the overrides of the cell from which a cell starts: its own, but for what `init.parent` says.

    That names the parent's settings by the cell's choice of data, "any" for all others; "~KEY" is a setting of the cell
    that the parent goes without.

    Raises:
        UserError: nothing is said for the cell's data.
    """
    by_data, data = composed.config.init.get("parent") or {}, composed.choices.get("data", "")
    own = by_data.get(data, by_data.get("any"))
    if own is None:
        raise UserError(
            f"init={composed.choices.get('init')} has no parent for data={data}: choose data={' or '.join(by_data)}, "
            "or name the checkpoint (init.checkpoint=FILE)"
        )
    replaced = {"init.checkpoint", *(text.lstrip("~").partition("=")[0] for text in own)}
    kept = [text for text in overrides if text.lstrip("+~").partition("=")[0].partition("@")[0] not in replaced]
    return [*kept, *(text for text in own if not text.startswith("~"))]


def _compose_cell(request: Request, compose: Compose, study: str, command: str) -> Cell:
    composed = compose(request.overrides)
    parent = None
    if command == "train" and OmegaConf.is_missing(composed.config.init, "checkpoint"):
        above = compose(parent_overrides(request.overrides, composed))
        name = f"{above.config.name} seed {above.config.seed}"
        parent = _cell(above, name, {"starts": composed.choices["init"]}, study, "train")
    return _cell(composed, request.name, request.parameters, study, command, parent)


def _cell(
    composed: Composed, name: str, parameters: Mapping[str, str], study: str, command: str, parent: Cell | None = None
) -> Cell:
    config, runs = composed.config, runs_folder(composed.config)
    config.paths.output_dir = ""  # the cell's folder follows from all the rest
    if parent:
        config.init.checkpoint = ""
    name_folders_from_the_root(config)
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    dashboard = plain["logger"].get("wandb")
    if dashboard:
        tags = [f"{key}={value}" for key, value in parameters.items()]
        plain["logger"]["wandb"] = {
            **dashboard,
            "group": dashboard.get("group") or study,
            "name": " ".join(filter(None, (dashboard.get("name"), name))) or None,  # cells are told apart by theirs
            "tags": [*(dashboard.get("tags") or []), *tags],
        }
    return build_cell(plain, runs / STORE, name, parameters, parent, command)
