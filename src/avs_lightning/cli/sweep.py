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
from typing import Any

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
from avs_lightning.studies.composing import Composed, Request

PLUGIN = "hydra_plugins.avs_lightning"
"""Hydra takes launchers from modules below `hydra_plugins` alone; this name stands for the present one."""
Prepare = Callable[[list[str]], list[str]]


class CellLauncher(Launcher):
    """Hands a sweep's jobs to `Session`, which runs what is not done."""

    __module__ = PLUGIN

    prepare: Prepare = staticmethod(list)  # type: ignore[assignment]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.requests: list[Request] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch of the sweep's jobs (an optimising sweeper launches several, one after another)."""
        from avs_lightning.studies.session import Session, failures  # torch takes seconds to import

        refuse_several_drivers()
        discard_record(self.config)
        command = str(self.config.hydra.job.config_name)
        self.requests += sweep_requests([self.prepare(list(job)) for job in job_overrides])
        given = list(self.config.hydra.overrides.task)
        session = Session.compose(
            self.requests, lambda overrides: compose(command, overrides), command, overrides=given
        )
        outcome = session.run()
        if not session.dry_run:
            session.show_results()
        if error := failures(session, outcome):
            raise error
        return [result(session, outcome, index) for index in range(initial_job_idx, len(self.requests))]


def register() -> None:
    """Make `CellLauncher` Hydra's launcher."""
    sys.modules[PLUGIN] = sys.modules[__name__]
    Plugins.instance().register(CellLauncher)
    ConfigStore.instance().store(group="hydra/launcher", name="cells", node={"_target_": f"{PLUGIN}.CellLauncher"})


def sweep_requests(jobs: Sequence[Sequence[str]]) -> list[Request]:
    """Name each job by the overrides that not all of them share."""
    shared = set.intersection(*map(set, jobs)) if len(jobs) > 1 else set()
    requests = []
    for overrides in jobs:
        own = [text for text in overrides if text not in shared]
        parameters = dict(text.lstrip("+~").partition("=")[::2] for text in own)
        requests.append(Request(" ".join(own), parameters, overrides))
    return requests


def compose(command: str, overrides: Sequence[str]) -> Composed:
    """Compose and check one configuration, unresolved, as `avs <command> <overrides>` would see it."""
    cfg = GlobalHydra.instance().config_loader().load_configuration(command, list(overrides), RunMode.RUN)
    HydraConfig.instance().set_config(cfg)
    choices = {str(group): str(choice) for group, choice in cfg.hydra.runtime.choices.items()}
    check_values(cfg)
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
            "a sweep (-m) is driven by one process, and starts those of each cell itself: run it without torchrun, with "
            "trainer.devices=... for each cell (launcher=local, parallel), or over several machines with launcher=slurm"
        )


def discard_record(config: DictConfig) -> None:
    """Take away the multirun.yaml that Hydra's sweeper leaves: plan.json, in the study's folder, says it all."""
    folder = Path(config.hydra.sweep.dir)
    with suppress(OSError):
        (folder / "multirun.yaml").unlink()
        folder.rmdir()
        folder.parent.rmdir()
        folder.parent.parent.rmdir()  # each only if empty


def result(session: Any, outcome: Any, index: int) -> JobReturn:
    """Return what an optimising sweeper maximises: the best validation score of a cell."""
    cell = session.cells[index]
    returned = JobReturn(overrides=list(session.requests[index].overrides))
    returned.status = JobStatus.COMPLETED
    returned.return_value = session.best_score(cell) if cell.signature in outcome.done else None
    return returned
