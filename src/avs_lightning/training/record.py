"""What a run leaves while it goes on: its folder, kept for this process, and its loggers."""

import logging
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from avs_lightning.command import typed_words
from avs_lightning.data import ClipDataModule
from avs_lightning.reporting.console import is_first_process
from avs_lightning.run import Run
from avs_lightning.run.names import LOG
from avs_lightning.training.environment import describe_environment
from avs_lightning.training.loggers import log_data, run_loggers
from avs_lightning.training.run_log import RunLog
from avs_lightning.training.stops import explained_stops
from avs_lightning.training.trainer import plain

log = logging.getLogger(__name__)


@contextmanager
def open_record(cfg: DictConfig, run: Run, datamodule: ClipDataModule) -> Iterator[list[Logger]]:
    """Lock and open a run's folder and start its loggers; whatever ends the run says how to go on.

    Raises:
        UserError: another process has the folder, it holds a run already, or it cannot be written.
    """
    with ExitStack() as stack:
        if is_first_process():
            stack.enter_context(run.locked())
            if not cfg.get("resume"):
                run.check_free()  # again: another process may have had it in the meantime
            open_run(run, cfg)
        stack.enter_context(explained_stops(run))
        loggers = stack.enter_context(run_loggers(cfg, run))
        log_data(loggers, datamodule)
        yield loggers


def open_run(run: Run, cfg: DictConfig) -> None:
    """Write a run's configuration and environment, and start its log.

    Raises:
        UserError: the folder cannot be written.
    """
    with run.writing():
        run.begin(plain(cfg), describe_environment(run.command if cfg.get("resume") else None))
        RunLog(run.folder / LOG).attach()
        log.info("%s", shlex.join(typed_words()))
