"""Hydra, with messages for people and a command line that a run's other processes can repeat."""

import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avs_lightning.allocator import keep_freed_memory
from avs_lightning.cli.sweep import CellLauncher, Sweep
from avs_lightning.cli.sweep import register as register_launcher
from avs_lightning.cli.values import check_values
from avs_lightning.errors import UserError, near_matches
from avs_lightning.studies.processes import FROM_RUN_FOLDER

CONFIG_MODULE = "avs_lightning.conf"


def run(
    command: str,
    argv: Sequence[str],
    task: Callable[[DictConfig], Any],
    prepare: Callable[[list[str]], list[str]] = list,
) -> int:
    """Compose the configuration of `avs <command>` from `argv` and hand it to `task`; a sweep (-m) goes to its cells.

    Args:
        command: "train" or "eval".
        argv: the command line.
        task: what one run does.
        prepare: turns a run's overrides into those to compose.

    Raises:
        UserError: a configuration that does not compose, with near matches for a mistyped key.
    """
    several = is_multirun(argv)
    if several:
        refuse_resume(argv, command)
    set_up_hydra(argv)
    called = list(sys.argv)
    failures: list[Exception] = []

    def job(cfg: DictConfig) -> None:
        try:
            refuse_other_launchers(command)
            refuse_folders_of_each_rank(argv)
            check_values(cfg)
            OmegaConf.resolve(cfg)
            cfg.paths.output_dir = str(Path(cfg.paths.output_dir).resolve())
            # Lightning starts the other processes of a run by this command line: they read the run's configuration.
            sys.argv = [called[0], command, *from_run_folder(Path(cfg.paths.output_dir))]
            task(cfg)
        except Exception as error:  # Hydra would print its own lines about it
            failures.append(error)

    CellLauncher.sweep = sweep = Sweep(prepare)
    sys.argv = [f"avs {command}", *(argv if several else prepare(list(argv)))]
    try:
        hydra.main(version_base="1.3", config_path=f"pkg://{CONFIG_MODULE}", config_name=command)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, command) from error
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    finally:
        sys.argv = called
    for failure in failures:
        raise explained(failure, command) from failure
    sweep.conclude()
    return 0


def set_up_hydra(argv: Sequence[str]) -> None:
    """Give Hydra what our configurations name: resolvers, the launcher of cells, any timm backbone in `argv`."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of being printed with their stack
    OmegaConf.register_new_resolver("run_suffix", lambda: secrets.token_hex(2), replace=True, use_cache=True)
    register_launcher()
    offer_any_encoder(argv)
    keep_freed_memory()


def refuse_folders_of_each_rank(argv: Sequence[str]) -> None:
    """Processes that torchrun or srun has started compose a run each; by default its folder is named after the time.

    Raises:
        UserError: they would not share a folder.
    """
    ranks = max(int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("SLURM_NTASKS", "1")))
    started = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_STEP_ID" in os.environ
    named = any(text.partition("=")[0] in ("paths.output_dir", "--config-path", "resume") for text in argv)
    if started and ranks > 1 and not named:
        raise UserError(
            f"this is one of {ranks} processes of torchrun or srun, and each would make a run folder of its own: give "
            "all the same one, paths.output_dir=FOLDER"
        )


def is_multirun(argv: Sequence[str]) -> bool:
    """Say whether a command line asks for a sweep."""
    return any(text in ("-m", "--multirun", "hydra.mode=MULTIRUN") for text in argv)


def refuse_resume(argv: Sequence[str], command: str) -> None:
    """A run is gone on with by itself, a sweep by the command that began it.

    Raises:
        UserError: a sweep is to resume a folder.
    """
    given = [text for text in argv if text.lstrip("+").startswith("resume=") and not text.endswith("=null")]
    if given:
        raise UserError(
            f"{given[0]} with -m: a sweep goes on by the command that began it, each cell from its own checkpoint; "
            f"for the one run in that folder: avs {command} {given[0]}"
        )


def refuse_other_launchers(command: str) -> None:
    """Hydra's own launchers run a sweep's jobs inside its process, where several devices would repeat the whole sweep.

    Raises:
        UserError: this is such a job.
    """
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:
        raise UserError(
            f"hydra/launcher={job.runtime.choices['hydra/launcher']}: avs {command} -m runs each cell in a process "
            "of its own; choose launcher=local, launcher=parallel or launcher=slurm instead"
        )


def explained(error: Exception, command: str) -> Exception:
    """Return the error as a `UserError` where it is about the configuration, else as it is."""
    if isinstance(error, InstantiationException):
        cause, place = error.__cause__, re.search(r"full_key: (\S+)", str(error))
        if isinstance(cause, UserError):
            return cause
        return UserError(f"{place[1] if place else 'the configuration'} cannot be built: {cause or error}")
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return UserError(explain(error, command))
    return error


def from_run_folder(folder: Path) -> list[str]:
    """Return the arguments that compose the configuration a run folder holds."""
    return ["--config-path", str(folder), "--config-name", "config", *FROM_RUN_FOLDER]


def offer_any_encoder(argv: Sequence[str]) -> None:
    """Let `encoder=<any timm backbone>` name a configuration, with the settings of one that has a file."""
    folder = files(CONFIG_MODULE) / "encoder"
    for argument in argv:
        match = re.fullmatch(r"encoder=([\w.,-]+)", argument)
        for name in match[1].split(",") if match else []:
            if not (folder / f"{name}.yaml").is_file():
                like = folder / ("pvt_v2_b5.yaml" if name.startswith("pvt_v2") else "resnet50.yaml")
                node = {**yaml.safe_load(like.read_text()), "name": name}
                ConfigStore.instance().store(group="encoder", name=name, node=node)


def explain(error: Exception, command: str) -> str:
    """Say what is wrong with the configuration, with near matches."""
    text = " ".join(str(error).split()) or str(error.__cause__)
    mistyped = re.search(r"Could not override '([^']+)'", text)
    if mistyped:
        key = mistyped[1]
        keys = known_keys(command)
        close = near_matches(key, keys) or near_matches(key.rsplit(".", 1)[-1], keys)
        return f"there is no setting {key!r}{close}; see avs {command} --cfg job (a new key: +{key}=...)"
    group = re.search(r"Could not (?:find|load) '([^'/]+)/([^']+)'", text)
    if group:
        options = known_options(group[1])
        close = near_matches(group[2], options)
        return f"there is no {group[1]}={group[2]}; {group[1]} is one of {', '.join(options)}{close}"
    missing = re.search(r"Missing mandatory value: (\S+)", text)
    if missing:
        return f"{missing[1]} has to be given: avs {command} {missing[1]}=..."
    return text


def known_keys(command: str) -> list[str]:
    """Return every dotted key of a command's default configuration."""
    GlobalHydra.instance().clear()
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        cfg = OmegaConf.to_container(compose(command), resolve=False)
    keys: list[str] = []

    def walk(node: Any, prefix: str) -> None:
        for name, value in node.items():
            keys.append(prefix + str(name))
            if isinstance(value, dict):
                walk(value, f"{prefix}{name}.")

    walk(cfg, "")
    return keys


def known_options(group: str) -> list[str]:
    """Return the configurations of a group."""
    folder = files(CONFIG_MODULE) / group
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir()) if folder.is_dir() else []
