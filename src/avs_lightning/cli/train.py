"""`avs train`."""

from pathlib import Path

from omegaconf import DictConfig

from avs_lightning.cli.groups import groups
from avs_lightning.cli.hydra_app import run
from avs_lightning.cli.overrides import given, written
from avs_lightning.errors import UserError
from avs_lightning.run.names import CONFIG
from avs_lightning.studies.execution.processes import FROM_RUN_FOLDER


def main(argv: list[str]) -> int:
    """Train; `resume=RUN_FOLDER` goes on with a run by its own configuration, `--dry-run` is `dry_run=true`."""
    argv = ["dry_run=true" if argument == "--dry-run" else argument for argument in argv]
    return run("train", argv, task, prepare=with_resume)


def task(cfg: DictConfig) -> None:
    """Run the training of a composed configuration."""
    from avs_lightning.training.train import train  # after the configuration stood: torch takes seconds to import

    train(cfg)


def with_resume(argv: list[str]) -> list[str]:
    """Turn `resume=FOLDER` into arguments that compose the configuration the folder holds.

    Raises:
        UserError: the folder holds no run.
    """
    named = given(argv, "resume")
    if named is None or FROM_RUN_FOLDER in argv:
        return argv
    folder = Path(str(named)).expanduser().resolve()
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{folder} holds no run to resume: it has no config.yaml (give the folder that paths.output_dir named)"
        )
    others = [word for word in argv if not word.startswith("resume=")]
    refuse_groups(others, folder)
    pinned = [written("paths.output_dir", folder), written("resume", folder)]
    return [FROM_RUN_FOLDER, str(folder), *pinned, *others]


def refuse_groups(argv: list[str], folder: Path) -> None:
    """A run that goes on has one resolved configuration, and no groups to choose in.

    Raises:
        UserError: a choice, as in encoder=resnet50.
    """
    for argument in argv:
        name, _, value = argument.partition("=")
        if name in groups() and not value.startswith("{"):
            raise UserError(
                f"{argument} with resume: the run in {folder} goes on with its own {name}; single settings can be "
                f"given that cannot change its result, {name}.NAME=VALUE where it is one"
            )
