"""Hydra, with messages for people and a command line that a run's other processes can repeat."""

import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avs_lightning.allocator import keep_freed_memory
from avs_lightning.cli import INFORMATION
from avs_lightning.cli.groups import CONFIG_MODULE, group_files, groups
from avs_lightning.cli.help import command_help
from avs_lightning.cli.overrides import given, named_in, readable, separated
from avs_lightning.cli.settings import method_resolvers
from avs_lightning.cli.stored import NAME, offer, without_run_folder
from avs_lightning.cli.sweep import CellLauncher, Sweep
from avs_lightning.cli.sweep import register as register_launcher
from avs_lightning.cli.values import check_values, near_setting, packaged_keys
from avs_lightning.errors import UserError, choose
from avs_lightning.run.names import CONFIG
from avs_lightning.studies.execution.processes import FROM_RUN_FOLDER
from avs_lightning.targets import check_targets, part_name, trust_targets
from avs_lightning.training.named_folders import name_folders_from_the_root
from avs_lightning.training.wandb_variables import register_variables


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
    if any(word in ("-h", "--help") for word in argv):
        print(command_help(command))
        return 0
    argv = readable(argv, command)
    several = is_multirun(argv)
    refuse_other_launchers(argv, command)
    refuse_no_choice(argv)
    if several:
        refuse_information(argv, command)
        refuse_for_all_cells(argv, command)
    set_up_hydra(argv)
    folder, words = without_run_folder(prepare(argv))
    stored = offer(folder) if folder else {}
    called = list(sys.argv)
    failures: list[Exception] = []

    def job(cfg: DictConfig) -> None:
        try:
            refuse_inline_jobs(command)
            refuse_folders_of_each_rank(argv)
            if folder:
                check_targets(cfg, folder / CONFIG, named_in(argv))
            check_values(cfg, stored)
            trust_targets(cfg)
            OmegaConf.resolve(cfg)
            cfg.paths.output_dir = str(Path(cfg.paths.output_dir).resolve())
            name_folders_from_the_root(cfg)
            # Lightning starts the other processes of a run by this command line: they read the run's configuration.
            sys.argv = [called[0], command, FROM_RUN_FOLDER, cfg.paths.output_dir]
            task(cfg)
        except Exception as error:  # Hydra would print its own lines about it
            failures.append(error)

    CellLauncher.sweep = sweep = Sweep(prepare)
    sys.argv = [f"avs {command}", *chain(*separated(words))]
    name = NAME if folder else command
    try:
        hydra.main(version_base="1.3", config_path=f"pkg://{CONFIG_MODULE}", config_name=name)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, command) from error
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    finally:
        sys.argv = called
    for failure in failures:
        raise explained(failure, command) from failure
    if several and not sweep.jobs and not any(word in INFORMATION for word in argv):
        raise UserError(f"avs {command} -m has run nothing: hydra.sweeper or hydra.launcher took no job")
    sweep.conclude()
    return 0


def set_up_hydra(argv: Sequence[str]) -> None:
    """Give Hydra what our configurations name: resolvers, the launcher of cells, any timm backbone in `argv`."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of being printed with their stack
    OmegaConf.register_new_resolver("run_suffix", lambda: secrets.token_hex(2), replace=True, use_cache=True)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    for name, resolver in method_resolvers().items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    register_variables()
    register_launcher()
    offer_any_encoder(argv)
    keep_freed_memory()


def run_name(*, _root_: DictConfig) -> str:
    """Return what a run is called: data, the label of its method, and whether it starts from a checkpoint.

    For example ms3_resnet50_stages34_fpn_pretrained.
    """
    starts = OmegaConf.is_missing(_root_.init, "checkpoint") or _root_.init.checkpoint is not None
    label = _root_.get("label") or part_name(_root_.method)
    return "_".join((str(_root_.data.name), str(label), *(["pretrained"] if starts else [])))


def refuse_folders_of_each_rank(argv: Sequence[str]) -> None:
    """Processes that torchrun or srun has started compose a run each; by default its folder is named after the time.

    Raises:
        UserError: they would not share a folder.
    """
    ranks = max(int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("SLURM_NTASKS", "1")))
    started = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_STEP_ID" in os.environ
    named = any(text.partition("=")[0] in ("paths.output_dir", FROM_RUN_FOLDER, "resume") for text in argv)
    if started and ranks > 1 and not named:
        raise UserError(
            f"this is one of {ranks} processes of torchrun or srun, and each would make a run folder of its own: give "
            "all the same one, paths.output_dir=FOLDER"
        )


def refuse_information(argv: Sequence[str], command: str) -> None:
    """What Hydra prints of a configuration is of one: a sweep has several.

    Raises:
        UserError: the configuration of a sweep is to be printed.
    """
    if shown := [word for word in argv if word in ("--cfg", "-c", "--info", "-i")]:
        raise UserError(
            f"{shown[0]} with -m: a sweep has a configuration for each cell; without -m and with one value each, "
            f"avs {command} {shown[0]} prints one, and --dry-run lists the cells"
        )


def is_multirun(argv: Sequence[str]) -> bool:
    """Say whether a command line asks for a sweep."""
    return any(text in ("-m", "--multirun", "hydra.mode=MULTIRUN") for text in argv)


def refuse_for_all_cells(argv: Sequence[str], command: str) -> None:
    """Settings of one run cannot hold for every cell of a sweep.

    Raises:
        UserError: one is given.
    """
    if folder := given(argv, "resume"):
        raise UserError(
            f"resume={folder} with -m: a sweep goes on by the command that began it, each cell from its own "
            f"checkpoint; for the one run in that folder: avs {command} resume={folder}"
        )
    if folder := given(argv, "paths.output_dir"):
        raise UserError(
            f"paths.output_dir={folder} with -m: each cell has a folder of its own; paths.runs_dir=FOLDER chooses "
            "where they all go, study=NAME names the sweep"
        )


def refuse_other_launchers(argv: Sequence[str], command: str) -> None:
    """Hydra's own launchers run a sweep's jobs inside its process, where several devices would repeat the whole sweep.

    Raises:
        UserError: one is chosen.
    """
    for word in argv:
        key, _, name = word.lstrip("+").partition("=")
        if (key == "hydra/launcher" and name != "cells") or key == "hydra.launcher._target_":
            raise UserError(
                f"{word}: avs {command} -m runs each cell in a process of its own; choose launcher=local, "
                "launcher=parallel or launcher=slurm instead"
            )


def refuse_no_choice(argv: Sequence[str]) -> None:
    """A group always has its option: Hydra has no override for none.

    Raises:
        UserError: null is chosen.
    """
    for word in argv:
        group, _, value = word.partition("=")
        if "null" in value.split(",") and group in groups():
            choose("null", groups()[group], group)


def refuse_inline_jobs(command: str) -> None:
    """See that a job is no cell of a sweep, which is never run inside the sweep's process.

    Raises:
        UserError: a configuration of the user's own has put another launcher in place.
    """
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:
        refuse_other_launchers([f"hydra/launcher={job.runtime.choices['hydra/launcher']}"], command)


def explained(error: Exception, command: str) -> Exception:
    """Return the error as a `UserError` where it is about the configuration, else as it is."""
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        cause = error.__cause__ or error.__context__
        while cause and not isinstance(cause, UserError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, UserError):  # of a resolver
            return cause
        return UserError(explain(error, command))
    return error


def offer_any_encoder(argv: Sequence[str]) -> None:
    """Let `encoder=<any timm backbone>` name a configuration, with the settings of one that has a file."""
    encoders = group_files()["encoder"]
    for argument in argv:
        match = re.fullmatch(r"encoder=([\w.,-]+)", argument)
        for name in match[1].split(",") if match else []:
            if name not in encoders:
                like = "pvt_v2_b5" if name.startswith("pvt_v2") else "resnet50"
                ConfigStore.instance().store(group="encoder", name=name, node={"defaults": [like], "name": name})


OF_CLASSES = ("optimizer.", "decoder.", "callbacks.", "logger.")
"""Groups whose members take any argument of the class that `_target_` names."""


def explain(error: Exception, command: str) -> str:
    """Say what is wrong with the configuration, with near matches.

    Raises:
        UserError: the same, of an option that a group does not have.
    """
    text = " ".join(str(error).split()) or str(error.__cause__)
    if mistyped := re.search(r"Could not override '([^']+)'", text):
        key = mistyped[1]
        if options := packaged_keys().get(key):
            return f"{key} is no setting of what is chosen here; it belongs to {', '.join(options)}"
        if key.startswith(OF_CLASSES):
            near = near_setting(key)
            return f"{key} is not among the settings that are shown{near}; +{key}=... gives its class that argument"
        return f"there is no setting {key!r}{near_setting(key)}; avs {command} --cfg job shows them all"
    if group := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", text):
        if group[1].startswith("hydra/"):
            return (
                f"there is no {group[1]}={group[2]} here: install the plugin of Hydra that brings it, or go without: "
                f"avs {command} -m KEY=A,B runs every combination (launcher=local, parallel or slurm)"
            )
        choose(group[2], groups().get(group[1], []), group[1])
    if missing := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{missing[1]} has to be given: avs {command} {missing[1]}=..."
    if several := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'", text):
        key, _, value = several[1].partition("=")
        return (
            f"{several[1]} names several values: avs {command} -m runs each of them; a list is {key}=[{value}], and a "
            f"text with a comma is quoted, {key}=\\'{value}\\'"
        )
    if there := re.search(r"An item is already at '([^']+)'", text):
        return f"{there[1]} is there already: give {there[1]}=..., without the plus"
    return text
