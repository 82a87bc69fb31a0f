"""What a person reads when a run stops before its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.utilities.exceptions import MisconfigurationException

from avs_lightning.data.loader_processes import LoaderError, explained_deaths
from avs_lightning.errors import UserError
from avs_lightning.files import NO_SPACE
from avs_lightning.run import Run


@contextmanager
def explained_stops(run: Run) -> Iterator[None]:
    """Turn Ctrl-C, a full disk, lost processes and what Lightning refuses into one message that says how to go on.

    Raises:
        UserError: what the user can mend.
        KeyboardInterrupt: Ctrl-C or SIGTERM, with the message.
    """
    try:
        with explained_deaths():
            yield
    except SystemExit as stop:  # Lightning's form of both
        raise KeyboardInterrupt(how_to_go_on(run)) from stop
    except MisconfigurationException as error:
        raise UserError(str(error)) from error
    except (ChildProcessError, LoaderError) as error:
        raise UserError(f"{error}; {how_to_go_on(run)}") from error
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise UserError(
            f"{error.filename or run.folder} could not be written: {os.strerror(error.errno)}; free some space. "
            + how_to_go_on(run)
        ) from error


def how_to_go_on(run: Run) -> str:
    """Say what is left in the folder of a run that was stopped, and which command goes on."""
    if not run.last.exists():
        return "stopped, with nothing to go on from: start it again"
    weights = run.interrupted if run.interrupted.exists() else run.last
    return (
        f"stopped; avs train resume={run.folder} goes on from the end of the last whole epoch, "
        f"avs eval checkpoint={weights} tests the weights as they are"
    )
