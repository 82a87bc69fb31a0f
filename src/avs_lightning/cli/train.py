"""`avs train`."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avs_lightning.cli.eval import without_plus
from avs_lightning.cli.hydra_app import CONFIG_MODULE, from_run_folder, run
from avs_lightning.errors import UserError


def main(argv: list[str]) -> int:
    """Train; `resume=RUN_FOLDER` goes on with a run by its own configuration, `--dry-run` is `dry_run=true`."""
    argv = ["dry_run=true" if argument == "--dry-run" else argument for argument in argv]
    return run("train", without_plus(argv), task, prepare=with_resume)


def task(cfg: DictConfig) -> None:
    """Run the training of a composed configuration."""
    from avs_lightning.training.train import train  # after the configuration stood: torch takes seconds to import

    train(cfg)


def with_resume(argv: list[str]) -> list[str]:
    """Turn `resume=FOLDER` into arguments that compose the configuration the folder holds.

    Raises:
        UserError: the folder holds no run.
    """
    folders = [a.removeprefix("resume=") for a in argv if a.startswith("resume=") and a != "resume=null"]
    if not folders or "--config-path" in argv:
        return argv
    folder = Path(folders[-1]).resolve()
    if not (folder / "config.yaml").is_file():
        raise UserError(
            f"{folder} holds no run to resume: it has no config.yaml (give the folder that paths.output_dir named)"
        )
    others = [a for a in argv if not a.startswith("resume=")]
    refuse_groups(others, folder)
    pinned = [f"paths.output_dir='{folder}'", f"resume='{folder}'"]
    return [*from_run_folder(folder), *pinned, *with_followers(others)]


def with_followers(argv: list[str]) -> list[str]:
    """Put before the settings of a resumed run the limits that follow from them: its configuration is resolved.

    `recipe.max_epochs=3` brings `trainer.max_epochs=3`. What else follows from another setting cannot change any more.
    """
    trainer: Any = OmegaConf.to_container(OmegaConf.load(str(files(CONFIG_MODULE) / "trainer" / "default.yaml")))
    followers = {}
    for name, value in trainer.items():
        if source := re.fullmatch(r"\$\{(?:oc\.select:)?([\w.]+)(?:,.*)?\}", str(value)):
            followers[source[1]] = f"trainer.{name}"
    given = [argument.lstrip("+").partition("=") for argument in argv]
    return [*(f"{followers[key]}={value}" for key, _, value in given if key in followers), *argv]


def refuse_groups(argv: list[str], folder: Path) -> None:
    """A run that goes on has one resolved configuration, and no groups to choose in.

    Raises:
        UserError: a choice, as in encoder=resnet50.
    """
    groups = {entry.name for entry in files(CONFIG_MODULE).iterdir() if entry.is_dir()}
    for argument in argv:
        name, _, value = argument.partition("=")
        if name in groups and not value.startswith("{"):
            raise UserError(
                f"{argument} with resume: the run in {folder} goes on with its own {name}; single settings can be "
                f"given that cannot change its result, {name}.NAME=VALUE where it is one"
            )
