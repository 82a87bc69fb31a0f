"""What loader processes fail of that has nothing to do with clips: shared memory, and memory."""

import errno
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from avs_lightning.data.clip import Clip, ClipBatch, collate_clips
from avs_lightning.errors import UserError

DEATH = re.compile(r"DataLoader worker \(pid\S* ([\d, ]+)\) (is killed by signal: [\w ]+|exited unexpectedly)")
"""PyTorch's words in the process that waits for the batch."""
SHARED_MEMORY = "/dev/shm"
LOCKS = 2**14
"""Bytes that may be free where not even a lock finds room."""
CURE = (
    "data.workers=0 loads without it, smaller batches (data.batch_size, data.eval_batch_size) and fewer data.workers "
    "take less, docker run --shm-size=8g gives a container more"
)


def shared_batch(clips: Sequence[Clip], frames: int | None = None) -> ClipBatch:
    """Collate clips in a loader process, into shared memory; arguments are those of `collate_clips`.

    PyTorch would do the latter when it sends the batch, in a thread whose errors are printed and lost, and the run
    would wait for the batch for ever.

    Raises:
        UserError: there is not enough of it.
    """
    batch = collate_clips(clips, frames)
    try:
        return batch.share_memory()
    except (RuntimeError, OSError) as error:
        raise UserError(f"a loader process finds no shared memory for a batch{_size()}: {CURE}") from error


class LoaderError(UserError):
    """A loader's processes could not begin, or one has ended."""


@contextmanager
def explained_deaths() -> Iterator[None]:
    """Say in words why a loader's processes cannot begin, or what has ended one of them.

    Raises:
        LoaderError: PyTorch's error about it.
    """
    try:
        yield
    except OSError as error:  # their locks are in shared memory; a full disk has no file name either
        if error.errno != errno.ENOSPC or shutil.disk_usage(SHARED_MEMORY).free > LOCKS:
            raise
        raise LoaderError(f"a loader finds no shared memory for its processes{_size()}: {CURE}") from error
    except RuntimeError as error:
        if (death := DEATH.search(str(error))) is None:
            raise
        raise LoaderError(_explanation(death[1].strip(), death[2])) from error


def _explanation(pids: str, end: str) -> str:
    if "Bus error" in end:
        return f"a loader process was ended for want of shared memory{_size()}: {CURE}"
    hint = "" if "Terminated" in end else ", often for want of memory: fewer data.workers and smaller batches take less"
    return f"a loader process (pid {pids}) {end.replace('is killed', 'was killed')}{hint}"


def _size() -> str:
    with suppress(OSError):
        usage = shutil.disk_usage(SHARED_MEMORY)
        return f" ({SHARED_MEMORY} has {usage.free / 2**20:.1f} MiB free of {usage.total / 2**20:.1f})"
    return ""
