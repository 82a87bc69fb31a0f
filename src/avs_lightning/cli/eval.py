"""`avs eval`."""

import hashlib
import json
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from avs_lightning.cli.hydra_app import run
from avs_lightning.cli.overrides import given, named_in
from avs_lightning.cli.stored import check_plain
from avs_lightning.studies.execution.processes import FROM_RUN_FOLDER
from avs_lightning.targets import check_targets

AS_TRAINED = "as_trained"


def main(argv: list[str]) -> int:
    """Evaluate a checkpoint, by default on the data it was trained on."""
    return run("eval", argv, task, prepare=with_training_data)


def task(cfg: DictConfig) -> None:
    """Run the evaluation of a composed configuration."""
    from avs_lightning.training.evaluate import evaluate

    evaluate(cfg)


def with_training_data(argv: list[str]) -> list[str]:
    """Choose the data settings that the checkpoint carries, unless the user names a data set.

    Of several checkpoints to sweep over, these are the first one's: each cell then asks again.

    Raises:
        UserError: the checkpoint is missing or damaged, or its data module is not trusted.
    """
    argv = [word for word in argv if not word.startswith(f"data={AS_TRAINED}_")]
    path = given(argv, "checkpoint")
    if not path or FROM_RUN_FOLDER in argv or any(word.startswith("data=") for word in argv):
        return argv
    from avs_lightning.methods.loading import read_checkpoint

    content = read_checkpoint(str(path))
    target = content.get("avs_datamodule")
    if not target:
        return argv
    settings: dict[str, Any] = {**content.get("datamodule_hyper_parameters", {}), "_target_": target}
    check_plain(settings, path)
    check_targets({"data": settings}, path, named_in(argv))
    name = f"{AS_TRAINED}_{hashlib.sha256(json.dumps(settings, default=str).encode()).hexdigest()[:8]}"
    ConfigStore.instance().store(group="data", name=name, node=settings)
    return [f"data={name}", *argv]
