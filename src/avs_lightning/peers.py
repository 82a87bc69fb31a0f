"""The processes of one run on this machine: they end with the first of them, and of those that fail one says why.

An error in one process makes the others fail too, at their next communication with it. What they would say of that is
no news, and hides the reason.
"""

import logging
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path

from avs_lightning.parent import end_with_parent

log = logging.getLogger(__name__)
VARIABLE = "AVS_PEERS"
"""Holds the first process's id, and the file that the first one to fail makes."""


def invite() -> None:
    """Make the present process the first one of those that it is going to start."""
    os.environ[VARIABLE] = f"{os.getpid()}:{Path(tempfile.gettempdir()).resolve() / f'avs-{uuid.uuid4().hex}'}"


def join() -> None:
    """Tie the present process to the first one of its run, where that one has started it.

    Ctrl-C, which reaches them all, is the first one's to answer.
    """
    if (first := first_process()) is None or first == os.getpid():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL)  # nothing less ends what waits for a communication
    if os.getppid() != first:  # it has ended before
        os._exit(1)


def first_process() -> int | None:
    """Return the id of the run's first process; None where the run has one, or something else has started them."""
    first = os.environ.get(VARIABLE, "").partition(":")[0]
    return int(first) if first.isdigit() else None


def failure() -> Path | None:
    """Return the file that is there once a process of this run has failed; None for a run of one process."""
    path = os.environ.get(VARIABLE, "").partition(":")[2]
    return Path(path) if path else None


def fails_first() -> bool:
    """Say whether the present process is the first one of its run to fail, which is the one to say why."""
    if (mark := failure()) is None:
        return True
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:  # a full disk: rather twice than never
        return True
    return True


def say_error(message: str) -> None:
    """Print one message to standard error, and keep it in the run's log."""
    rank = os.environ.get("LOCAL_RANK", "0")
    where = "" if rank == "0" else f" (process {rank})"
    print(f"avs: error{where}: {message}", file=sys.stderr)
    if logging.getLogger().hasHandlers():  # else Python would print it once more
        log.error(message)


def killed_by(signum: int) -> str:
    """Return what is said of a process that a signal has ended."""
    hint = ", often for want of memory" if signum == signal.SIGKILL else ""
    return f"killed by signal {signal.Signals(signum).name}{hint}"
