"""`avs train`."""

from pathlib import Path

from omegaconf import DictConfig

from avs_lightning.cli.eval import without_plus
from avs_lightning.cli.hydra_app import from_run_folder, run
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
    return [*from_run_folder(folder), f"paths.output_dir='{folder}'", f"resume='{folder}'", *others]
