"""Time and peak memory of two forms of the same work, taken in one run."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from avs_lightning.allocator import keep_freed_memory

Work = Callable[[], object]


@dataclass(frozen=True)
class Place:
    """Where and how a benchmark runs: "cpu" or "cuda", "float32" or "bfloat16" (autocast), and clips a batch."""

    device: str
    dtype: str
    batch: int

    def __str__(self) -> str:
        return f"{self.dtype}, batch {self.batch}"

    def autocast(self) -> torch.autocast:
        """Return the context that forward passes run in."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.dtype == "bfloat16")


@dataclass(frozen=True)
class Usage:
    """What work that is a process of its own says that it has used: CPU seconds, and the most memory it held."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Variant:
    """One form of the work.

    Attributes:
        form: what it is called in the table.
        prepare: makes the work to be timed; called in the measuring process, so it must pickle.
    """

    form: str
    prepare: Callable[[], Work]


@dataclass(frozen=True)
class Comparison:
    """Two forms of the same work, or one form by itself.

    Attributes:
        setting: sizes, as the table shows them.
        ours: the form that the package uses.
        other: what it is measured against; None: nothing.
        items: how many `unit` one call handles.
        unit: "clips", "frames" or "starts".
        growth: how much larger the problem of `ours` is, where one form is compared at two sizes.
    """

    setting: str
    ours: Variant
    other: Variant | None = None
    items: int = 1
    unit: str = "clips"
    growth: float | None = None


@dataclass(frozen=True)
class Measurement:
    """The median of `repeats` timed calls, and the most memory that the first one held beyond what was there before."""

    seconds: float
    repeats: int
    peak_bytes: int


def measure(comparison: Comparison, device: str, quick: bool = False) -> list[Measurement | None]:
    """Measure `ours` and, if there is one, `other`; None for a form that ran out of memory.

    Each form has a process of its own, for its memory's sake. Their timed calls alternate, so that whatever else the
    machine does slows both alike. The first call of each warms up and is not timed. `quick` times a single call.
    """
    least, budget, most = (1, 0, 1) if quick else (3, 6, 30)
    runners = [_Runner(variant) for variant in (comparison.ours, comparison.other) if variant]
    try:
        peaks = [runner.call(_first_call, runner.variant, device) for runner in runners]
        seconds: list[list[float]] = [[] for _ in runners]
        rounds = 0
        while rounds < least or (rounds < most and sum(map(sum, seconds)) < budget):
            rounds += 1
            for runner, times in zip(runners, seconds):
                if (time_taken := runner.call(_timed_call, device)) is not None:
                    times.append(time_taken)
    finally:
        for runner in runners:
            runner.pool.shutdown()
    return [
        Measurement(statistics.median(times), len(times), peak) if peak is not None and times else None
        for peak, times in zip(peaks, seconds)
    ]


class _Runner:
    """A process that holds the work of one variant until it runs out of memory."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self.failed = False

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        if self.failed:
            return None
        try:
            return self.pool.submit(function, *args).result()
        except BrokenProcessPool:  # killed, as systems do with a process that takes all memory
            self.failed = True
        except RuntimeError as error:
            self.failed = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
            if not self.failed:
                raise
        return None


_work: Work


def _first_call(variant: Variant, device: str) -> int:
    """Prepare the work, call it once, and return its peak memory."""
    global _work
    _work = variant.prepare()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with suppress(OSError):  # Linux: forget the peak of the preparation
        Path("/proc/self/clear_refs").write_text("5")
    before = _peak_resident_bytes()
    used = _work()
    peak = used.peak_bytes if isinstance(used, Usage) else _peak_resident_bytes() - before
    keep_freed_memory()  # for the timed calls, as training does
    return peak


def _timed_call(device: str) -> float:
    start = time.perf_counter()
    used = _work()
    if isinstance(used, Usage):
        return used.seconds
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _peak_resident_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    unit = 1 if platform.system() == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
