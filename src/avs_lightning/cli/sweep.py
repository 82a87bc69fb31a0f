"""`avs train -m`: Hydra's sweeper names the cells, and each is a process of its own.

Stock launchers run the jobs in the sweep's own process. With several devices that is wrong: Lightning's children repeat
the command line, `-m` included, and so re-run the whole sweep, each rank at its own pace.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from avs_lightning.cli.values import check_values
from avs_lightning.errors import UserError
from avs_lightning.studies.cells.composing import Composed
from avs_lightning.studies.spec.cell_spec import CellSpec
from avs_lightning.targets import trust_targets

if TYPE_CHECKING:
    from avs_lightning.studies.execution.scheduler import Outcome
    from avs_lightning.studies.session import Session

PLUGIN = "hydra_plugins.avs_lightning"
"""Hydra takes launchers from modules below `hydra_plugins` alone; this name stands for the present one."""
Prepare = Callable[[list[str]], list[str]]


class Sweep:
    """What one command with `-m` is about: the jobs that the sweeper has asked for so far, and how they have ended.

    Args:
        prepare: turns a job's overrides into those to compose.
    """

    def __init__(self, prepare: Prepare) -> None:
        self.prepare = prepare
        self.jobs: list[list[str]] = []
        self._session: Session | None = None
        self._outcome: Outcome | None = None

    def launch(self, jobs: Sequence[Sequence[str]], config: DictConfig) -> list[JobReturn]:
        """Run what is not done of all jobs so far; an optimising sweeper asks for several batches, one after another.

        Raises:
            UserError: nothing could be begun.
        """
        from avs_lightning.studies.session import Session  # torch takes seconds to import

        discard_record(config)
        refuse_several_drivers()
        before, command = len(self.jobs), str(config.hydra.job.config_name)
        self.jobs += [list(job) for job in jobs]
        searchpath = [word for word in config.hydra.overrides.hydra if word.startswith("hydra.searchpath=")]
        self._session = session = Session.compose(
            sweep_cells(self.jobs, self.prepare),
            lambda overrides: compose(command, overrides, searchpath),
            command,
            overrides=list(config.hydra.overrides.task),
            name=self._session.name if self._session else None,
        )
        self._outcome = outcome = session.run(self._outcome.failed if self._outcome else None)
        return [
            result(job, session.best_score(cell) if cell.signature in outcome.done else None)
            for job, cell in list(zip(self.jobs, session.cells))[before:]
        ]

    def conclude(self) -> None:
        """Show the table and name what failed, once, whatever number of batches there were.

        Raises:
            UserError: cells have failed.
        """
        if self._session and self._outcome:
            self._session.conclude(self._outcome)


class CellLauncher(Launcher):
    """What Hydra knows of a `Sweep`."""

    __module__ = PLUGIN

    sweep: Sweep

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return self.sweep.launch(job_overrides, self.config)


def register() -> None:
    """Make `CellLauncher` Hydra's launcher."""
    sys.modules[PLUGIN] = sys.modules[__name__]
    Plugins.instance().register(CellLauncher)
    ConfigStore.instance().store(group="hydra/launcher", name="cells", node={"_target_": f"{PLUGIN}.CellLauncher"})


def sweep_cells(jobs: Sequence[Sequence[str]], prepare: Prepare = list) -> list[CellSpec]:
    """Name each job by the overrides that not all of them share; a seed is no axis of a table, but a repetition."""
    shared = set.intersection(*map(set, jobs))
    specs = []
    for overrides in jobs:
        own = [text for text in overrides if text not in shared]
        parameters = dict(text.lstrip("+~").partition("=")[::2] for text in own)
        parameters.pop("seed", None)
        specs.append(CellSpec(" ".join(own), parameters, prepare(list(overrides))))
    return specs


def compose(command: str, overrides: Sequence[str], searchpath: Sequence[str] = ()) -> Composed:
    """Compose and check one configuration, unresolved, as `avs <command> <overrides>` would see it."""
    loader = GlobalHydra.instance().config_loader()
    cfg = loader.load_configuration(command, [*searchpath, *overrides], RunMode.RUN)
    HydraConfig.instance().set_config(cfg)
    choices = {str(group): str(choice) for group, choice in cfg.hydra.runtime.choices.items()}
    check_values(cfg)
    trust_targets(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    OmegaConf.set_struct(cfg, True)
    return Composed(cfg, choices)


def refuse_several_drivers() -> None:
    """A sweep has one driver, which starts the processes of each cell.

    Raises:
        UserError: this is one of several processes of torchrun.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "a sweep (-m) is driven by one process, and starts those of each cell itself: run it without torchrun, "
            "with trainer.devices=... for each cell (launcher=local or parallel; slurm for several machines)"
        )


def discard_record(config: DictConfig) -> None:
    """Take away the multirun.yaml that Hydra's sweeper leaves: plan.json, in the study's folder, says it all."""
    folder = Path(config.hydra.sweep.dir)
    with suppress(OSError):
        (folder / "multirun.yaml").unlink()
        folder.rmdir()
        folder.parent.rmdir()  # each only if empty


def result(overrides: Sequence[str], score: float | None) -> JobReturn:
    """Return what an optimising sweeper maximises: the best validation score of a cell, None where it has failed."""
    returned = JobReturn(overrides=list(overrides))
    returned.status = JobStatus.COMPLETED
    returned.return_value = score
    return returned
