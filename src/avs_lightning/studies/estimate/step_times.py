"""What a step, a clip and a picture take on this machine, measured now."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from avs_lightning.data import ClipBatch, ClipDataModule, collate_clips
from avs_lightning.data.probes import ProbedDataset, chosen_probes
from avs_lightning.methods import SegmentationMethod
from avs_lightning.reporting.pictures import draw_clip

REPEATS = 5
SECONDS = 2.0
"""One measurement ends after so many repeats, or so many seconds."""
BUSY = 1.2
"""From this slowdown on wall time is not believed alone."""


def present_slowdown() -> float:
    """Return how many times as long as on an idle machine one thread takes now; 1 where a core is free."""
    began, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < 0.3:
        sum(range(1000))
    return max(1.0, (time.perf_counter() - began) / max(1e-3, time.process_time() - used))


def network_steps(
    method: SegmentationMethod, batch: ClipBatch, precision: str, cuda: bool
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a training step and an evaluation of one batch, to be timed."""
    device = torch.device("cuda" if cuda else "cpu")
    method, batch = method.to(device), batch.to(device)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad])

    def autocast() -> torch.autocast:
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled="bf16" in precision)

    def step() -> None:
        with autocast():
            loss = torch.stack(list(method.train().losses(method(batch), batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def evaluation() -> None:
        with torch.no_grad(), autocast():
            method.eval()(batch)

    return step, evaluation


def quickest(work: Callable[[], None], threads: int, cuda: bool, busy: bool) -> float:
    """Return the seconds that some work takes here when nothing else runs.

    That is the wall time with so many threads; on a busy machine at most the time that one thread computes: wall time
    is the others' there, and threads that wait for each other make it worse.
    """
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        wall = _median(work, time.perf_counter, cuda)
        if cuda or not busy:
            return wall
        torch.set_num_threads(1)
        return min(wall, _median(work, time.thread_time, cuda))
    finally:
        torch.set_num_threads(before)


def overlapped(compute: float, read: float, workers: int, cores: int, threads: int) -> float:
    """Return the seconds of a step whose clips are read by workers meanwhile.

    Args:
        compute: seconds of the step itself.
        read: seconds that one process takes to read its clips.
        workers: that read; 0: the step waits.
        cores: which the workers have, and share with the step.
        threads: cores that the step itself keeps busy; 0 where a GPU does it.
    """
    if not workers:
        return compute + read
    return max(compute, read / min(workers, cores), (threads * compute + read) / cores)


def reading_seconds(module: ClipDataModule, config: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds on the processor of reading a clip: with its own sound, and on average over all sounds."""
    data = module.dataset("train")
    probes = chosen_probes(config.get("probes"), config.get("probe_sounds")).values()

    def seconds(dataset: Any) -> float:
        return _median(lambda: collate_clips([dataset[0]]), time.thread_time, cuda=False)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # as in a loader's worker
        own = seconds(data)
        return own, statistics.mean([own, *(seconds(ProbedDataset(data, probe)) for probe in probes)])
    finally:
        torch.set_num_threads(before)


def picture_seconds(method: SegmentationMethod, clip: ClipBatch) -> float:
    """Return the seconds on the processor of drawing a clip."""
    predictions = dict.fromkeys(("prediction", "muted"), clip.labels[0])
    with tempfile.TemporaryDirectory() as folder:
        return _median(lambda: draw_clip(clip, predictions, Path(folder, "clip.png")), time.thread_time, cuda=False)


def _median(work: Callable[[], Any], clock: Callable[[], float], cuda: bool) -> float:
    """The median seconds of some work after one time to warm up."""
    work()
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    while not times or (len(times) < REPEATS and time.perf_counter() < until):
        began = clock()
        work()
        if cuda:
            torch.cuda.synchronize()
        times.append(clock() - began)
    return statistics.median(times)
