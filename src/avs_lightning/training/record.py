"""What a run leaves while it goes on: its folder, kept for this process, and its loggers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from avs_lightning.data import ClipDataModule
from avs_lightning.reporting.console import is_first_process
from avs_lightning.training.loggers import log_data, run_loggers
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.stops import explained_stops


@contextmanager
def open_record(cfg: DictConfig, folder: RunFolder, datamodule: ClipDataModule) -> Iterator[list[Logger]]:
    """Lock and open a run's folder and start its loggers; whatever ends the run says how to go on.

    Raises:
        UserError: another process has the folder, it holds a run already, or it cannot be written.
    """
    with ExitStack() as stack:
        if is_first_process():
            stack.enter_context(folder.locked())
            if not cfg.get("resume"):
                folder.check_free()  # again: another process may have had it in the meantime
            folder.open(cfg)
        stack.enter_context(explained_stops(folder))
        loggers = stack.enter_context(run_loggers(cfg, folder))
        log_data(loggers, datamodule)
        yield loggers
