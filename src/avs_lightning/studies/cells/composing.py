"""From specs to cells: what composes a configuration is handed in, so that nothing here knows Hydra."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.studies.cells.cell import Cell, build_cell
from avs_lightning.studies.spec.cell_spec import CellSpec
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


def compose_cells(specs: Sequence[CellSpec], compose: Compose, command: str = "train") -> list[Cell]:
    """Compose every cell, with the cell that one without a checkpoint to start from (`init=single_source`) starts from.

    Raises:
        UserError: a configuration that does not compose, or a start without a parent.
    """
    return [_compose_cell(spec, compose, command) for spec in specs]


def with_dashboard(cell: Cell, study: str) -> Cell:
    """Return a cell that W&B shows in the group of its study, by its name and its parameters."""
    dashboard = cell.config["logger"].get("wandb")
    if not dashboard:
        return cell
    told = {
        **dashboard,
        "group": dashboard.get("group") or study,
        "name": " ".join(filter(None, (dashboard.get("name"), cell.name))) or None,  # cells are told apart by theirs
        "tags": [*(dashboard.get("tags") or []), *(f"{key}={value}" for key, value in cell.parameters.items())],
    }
    config = {**cell.config, "logger": {**cell.config["logger"], "wandb": told}}
    return replace(cell, config=config, parent=cell.parent and with_dashboard(cell.parent, study))


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


def _compose_cell(spec: CellSpec, compose: Compose, command: str) -> Cell:
    composed = compose(spec.overrides)
    parent = None
    if command == "train" and OmegaConf.is_missing(composed.config.init, "checkpoint"):
        above = compose(parent_overrides(spec.overrides, composed))
        name = f"{above.config.name} seed {above.config.seed}"
        parent = build_cell(_resolved(above.config), name, {"starts": composed.choices["init"]}, own=False)
        composed.config.init.checkpoint = ""  # the parent's
    return build_cell(_resolved(composed.config), spec.name, spec.parameters, parent, command)


def _resolved(config: DictConfig) -> dict[str, Any]:
    config.paths.output_dir = ""  # the cell's folder follows from all the rest
    name_folders_from_the_root(config)
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return dict(plain)
