"""`avs eval`."""

import json
import re
from typing import Any

from omegaconf import DictConfig

from avs_lightning.cli.hydra_app import run


def main(argv: list[str]) -> int:
    """Evaluate a checkpoint, by default on the data it was trained on."""
    return run("eval", without_plus(argv), task, prepare=with_training_data)


def task(cfg: DictConfig) -> None:
    """Run the evaluation of a composed configuration."""
    from avs_lightning.training.evaluate import evaluate

    evaluate(cfg)


def without_plus(argv: list[str]) -> list[str]:
    """Take `+probes=...` for `probes=...`: the setting is there already, which Hydra would refuse."""
    return [re.sub(r"^\+(probes|probe_sounds)=", r"\1=", argument) for argument in argv]


def with_training_data(argv: list[str]) -> list[str]:
    """Put the data settings that the checkpoint carries before the user's own.

    Raises:
        UserError: the checkpoint is missing or damaged.
    """
    paths = [a.removeprefix("checkpoint=").strip("'\"") for a in argv if a.startswith("checkpoint=")]
    if not paths or not paths[-1] or "--config-path" in argv or any(a.startswith("data=") for a in argv):
        return argv
    from avs_lightning.methods.loading import read_checkpoint

    content = read_checkpoint(paths[-1])
    settings: dict[str, Any] = content.get("datamodule_hyper_parameters", {})
    target = content.get("avs_datamodule")
    if not target:
        return argv
    stored = [f"++data.{key}={as_override(value)}" for key, value in {"_target_": target, **settings}.items()]
    return [*stored, *argv]


def as_override(value: Any) -> str:
    """Write a plain value in Hydra's override grammar."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_override(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(as_override, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)
