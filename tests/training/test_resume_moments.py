"""Runs that are cut at random moments, by any signal, under any limit: bit for bit what an uninterrupted run leaves.

It takes hours for all: `pytest -s -m slow tests/training/test_resume_moments.py -k "steps and not 2-processes"`. Each
line that it prints names the seed of its moments; MOMENTS and MOMENTS_SEED in the environment choose others.
"""

import importlib.util
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from avs_lightning.training import train  # noqa: F401  the forks need not import it again

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

COUNT = int(os.environ.get("MOMENTS", "10"))
SEED = int(os.environ.get("MOMENTS_SEED", "0"))
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "requeue")
RUN = [
    "data=ms3", "data.image_size=32", "data.batch_size=2", "data.eval_batch_size=2", "encoder=test_resnet",
    "encoder.weights=none", "audio_encoder=small", "decoder.channels=16", "optimizer.lr=0.01", "logger=csv",
    "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "trainer.max_epochs=3",
]  # fmt: skip
LIMITS = {
    "epochs": [],
    "steps, within an epoch": ["trainer.max_epochs=5", "trainer.max_steps=8"],
    "steps, at an epoch's end": ["trainer.max_epochs=5", "trainer.max_steps=9"],
    "steps, before the first validation": ["trainer.max_steps=2"],
    "validation within an epoch": ["+trainer.val_check_interval=0.34"],
    "validation across epochs": ["+trainer.val_check_interval=2", "trainer.check_val_every_n_epoch=null"],
    "validation every second epoch": ["trainer.check_val_every_n_epoch=2"],
    "validation after the end": ["trainer.check_val_every_n_epoch=7"],
    "batches by number": [
        "trainer.limit_train_batches=2",
        "trainer.limit_val_batches=1",
        "trainer.limit_test_batches=1",
    ],
    "batches by share": ["trainer.limit_train_batches=0.7", "trainer.limit_val_batches=0.5"],
    "accumulation": ["trainer.accumulate_grad_batches=2", "+trainer.val_check_interval=1"],
    "overfitting": ["+trainer.overfit_batches=2"],
    "minima": ["+trainer.min_epochs=2", "+trainer.min_steps=7", "trainer.max_steps=11", "trainer.max_epochs=-1"],
    "a schedule": ["schedule.name=cosine", "schedule.warmup_steps=2"],
}
LOADERS = {
    "no workers": ["data.workers=0"],
    "workers": ["data.workers=2"],
    "workers anew": ["data.workers=2", "+data.persistent_workers=false"],
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    os.environ.pop("OMP_NUM_THREADS") if before is None else os.environ.update(OMP_NUM_THREADS=before)


@pytest.mark.parametrize("processes", [1, 2], ids=["1-process", "2-processes"])
@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("limit", LIMITS)
def test_cut_at_random_moments(
    tiny_ms3: Path, tmp_path: Path, differences: Callable, limit: str, loader: str, processes: int
) -> None:
    settings = [*RUN, f"data.root={tiny_ms3}", *LIMITS[limit], *LOADERS[loader], f"trainer.devices={processes}"]
    whole = tmp_path / "whole"
    begun = time.monotonic()
    assert end(start(whole, *settings)) == 0, (whole.parent / "whole.log").read_text()
    seconds = time.monotonic() - begun
    draw = random.Random(f"{SEED} {limit} {loader} {processes}")
    unequal, cuts = [], 0
    for number in range(COUNT):
        folder, kind = tmp_path / str(number), draw.choice(SIGNALS)
        for _ in range(3):
            arguments = [f"resume={folder}"] if (folder / "config.yaml").exists() else settings
            run = start(folder, *arguments)
            cuts += cut(run, kind, draw.uniform(0.05, 1.05) * seconds)
        if not (folder / "metrics.json").exists():
            arguments = [f"resume={folder}"] if (folder / "config.yaml").exists() else settings
            assert end(start(folder, *arguments)) == 0, (tmp_path / f"{number}.log").read_text()
        if found := differences(folder, whole):
            unequal.append(f"{number} ({kind}): {', '.join(found)}")
    print(f"\n| {limit} | {loader} | {processes} | seed {SEED} | {COUNT} runs, {cuts} cuts | {unequal or 'equal'} |")
    assert not unequal


def start(folder: Path, *arguments: str) -> multiprocessing.Process:
    """Begin `avs train` in a fork of this process, which has imported what takes long."""
    given = [] if any(text.startswith("resume=") for text in arguments) else [f"paths.output_dir={folder}"]
    process = multiprocessing.get_context("fork").Process(
        target=_work, args=(folder.parent / f"{folder.name}.log", [*arguments, *given])
    )
    process.start()
    return process


def end(process: Any) -> int:
    process.join(900)
    return int(process.exitcode)


def cut(process: Any, kind: str, seconds: float) -> int:
    """Send a signal after so many seconds; says whether there was still something to cut."""
    process.join(seconds)
    if process.exitcode is not None:
        return 0
    number = {"requeue": signal.SIGTERM}.get(kind) or getattr(signal, kind)
    (os.killpg if kind in ("SIGINT", "SIGKILL", "requeue") else os.kill)(process.pid, number)
    if kind == "requeue":  # Slurm sends SIGTERM to all, and after a while SIGKILL
        process.join(2)
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL)
    end(process)
    return 1


def _work(log: Path, arguments: list[str]) -> None:
    os.setsid()
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.argv = ["avs"]
    sys.modules["__main__"].__spec__ = importlib.util.find_spec("avs_lightning.cli.__main__")  # for the second process
    from avs_lightning.cli import main

    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    code = main(["train", *arguments])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
