"""How a run on several devices starts its other processes, and how they all end."""

import atexit
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from avs_lightning import peers
from avs_lightning.reporting.console import console

PATIENCE = 5.0
"""Seconds that the first process has to end by itself when another has failed."""
GLANCE = 0.1
"""Seconds between two looks at the other processes."""


class PeerLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher of a run's other processes, with an end of its own.

    Lightning looks at them every five seconds and kills the first process, without a word, when one has failed. Here an
    error in any process ends all of them soon, and one says why. Where something else starts the processes (torchrun,
    srun), ending them is that one's matter.
    """

    def launch(self, function: Callable, *args: Any, trainer: pl.Trainer | None = None, **kwargs: Any) -> Any:
        """Start the other processes, once, and call `function` in this one.

        Raises:
            ChildProcessError: a signal has ended one of them.
        """
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            peers.invite()
            self._call_children_scripts()
            atexit.register(self.end)
        _set_num_threads_if_needed(num_processes=self.num_processes)
        over = threading.Event()
        if self.procs:
            threading.Thread(target=self._watch, args=(over,), daemon=True).start()
        try:
            return function(*args, **kwargs)
        except Exception as error:
            over.set()
            if lost := self._lost():
                raise ChildProcessError(lost) from error
            raise
        finally:
            over.set()

    def kill(self, signum: int) -> None:
        """Send a signal to the other processes; SIGTERM stops the first one as Ctrl-C does, and ends another one.

        Lightning, which calls this where a SIGTERM has come, would next communicate from within the signal's handler,
        out of order with what the training communicates.
        """
        first = peers.first_process()
        if signum != signal.SIGTERM or first is None:
            super().kill(signum)
        elif first == os.getpid():
            raise KeyboardInterrupt
        else:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    def end(self) -> None:
        """End the other processes: at once where something has failed, else when they have finished."""
        mark = peers.failure()
        failed = mark is not None and mark.exists()
        for process in self.procs:
            try:
                process.wait(0 if failed else PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        if mark is not None:
            mark.unlink(missing_ok=True)

    def _watch(self, over: threading.Event) -> None:
        """End this process where another has failed and this one waits for it for ever, as on NCCL."""
        while not self._failed():
            if over.wait(GLANCE):
                return
        if over.wait(PATIENCE):
            return
        if peers.fails_first():
            peers.say_error(self._lost() or "another process of the run has ended")
        console.show_cursor()
        self.end()
        os._exit(1)

    def _failed(self) -> bool:
        """Say whether one of the other processes has failed, whether or not it has ended yet."""
        mark = peers.failure()
        return any(process.poll() for process in self.procs) or (mark is not None and mark.exists())

    def _lost(self) -> str | None:
        """Say which process a signal has ended, if one has; those that fail speak for themselves."""
        deadline = time.monotonic() + 1
        while self.procs and not self._failed() and time.monotonic() < deadline:
            time.sleep(GLANCE)  # its connections are closed a moment before it has ended
        for rank, process in enumerate(self.procs, start=1):
            if (process.returncode or 0) < 0:
                return f"process {rank} of the run was {peers.killed_by(-process.returncode)}"
        return None
