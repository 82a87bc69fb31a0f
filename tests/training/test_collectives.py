"""Two processes of a run, with every default on: they communicate in the same order, and compute what one computes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch

RECORDER = """
import functools, os

NAMES = (
    "all_reduce", "all_gather", "all_gather_into_tensor", "all_gather_object", "barrier", "broadcast",
    "broadcast_object_list", "gather", "gather_object", "monitored_barrier", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "recv",
)

def described(value):
    if hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {value.dtype}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(described, value)) + "]"
    return str(value) if isinstance(value, (int, str, bool)) or type(value).__name__ == "RedOpType" else ""

def recorded(name, function, world):
    @functools.wraps(function)
    def call(*args, **options):
        group = options.get("group") or next((a for a in args if type(a).__name__ == "ProcessGroup"), None)
        size = world.get_world_size(group) if world.is_initialized() else 0
        rank = os.environ.get("LOCAL_RANK", "0")
        same = args[:1] if name in ("scatter", "gather") else args  # the list is of one process alone
        with open(os.path.join(os.environ["RECORDS"], rank + ".txt"), "a") as file:
            file.write(f"{name} group of {size}: {[described(a) for a in same]}\\n")
        return function(*args, **options)
    return call

for name in NAMES:
    setattr(module, name, recorded(name, getattr(module, name), module))
"""
FAILING = """
import os
if os.environ.get("LOCAL_RANK") == "1":
    from avs_lightning.methods.avs import AVSMethod
    def failing(self, batch, index):
        raise RuntimeError("this process alone has failed")
    AVSMethod.training_step = failing
"""


@pytest.fixture
def pair(tmp_path: Path, after_import: Callable) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`pair(name, *words, before="code")` runs `avs train` and records what each rank communicates in `name`/."""

    def run(name: str, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
        records = tmp_path / name
        records.mkdir()
        hook = after_import("torch.distributed.distributed_c10d", RECORDER)
        (records / "sitecustomize.py").write_text(hook + before)
        env = {**os.environ, "OMP_NUM_THREADS": "1", "RECORDS": str(records), "PYTHONPATH": str(records)}
        command = [sys.executable, "-m", "avs_lightning.cli", "train", *words]
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)

    return run


def sequences(records: Path) -> list[list[str]]:
    """What each rank has communicated, in order."""
    return [(records / f"{rank}.txt").read_text().splitlines() for rank in range(2)]


def test_two_processes_communicate_in_the_same_order_and_compute_what_one_computes(
    pair: Callable, avs: Callable, tiny: list[str], tmp_path: Path
) -> None:
    plain = [text for text in tiny if not text.startswith(("data.batch_size", "trainer.max_epochs"))]
    even = [*plain, "data.limit=4"]
    two, one = tmp_path / "two", tmp_path / "one"
    parts = ["trainer.devices=2", "data.batch_size=1"]
    begun = pair("begun", *even, *parts, "trainer.max_epochs=1", f"paths.output_dir={two}")
    assert begun.returncode == 0, begun.stderr
    resumed = pair("resumed", f"resume={two}", "trainer.max_epochs=2")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("begun", "resumed"):
        first, second = sequences(tmp_path / name)
        assert first == second
        assert {line.split()[0] for line in first} >= {"all_reduce", "all_gather", "broadcast"}

    whole = [*even, "data.batch_size=2", "trainer.max_epochs=2", f"paths.output_dir={one}"]
    assert avs("train", *whole).code == 0
    # The same sums in another order: Adam makes a step of 0.01 of any gradient, also of one that is rounding alone.
    states = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for folder in (two, one)
    ]
    apart = torch.cat(
        [(value.double() - states[1][name].double()).abs().flatten() for name, value in states[0].items()]
    )
    assert (apart > 1e-3).double().mean() < 1e-3
    assert apart.median() < 1e-6
    losses = [pd.read_csv(folder / "metrics.csv")["train/loss_epoch"].dropna().tolist() for folder in (two, one)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    scores = [json.loads((folder / "metrics.json").read_text())["scores"]["true"] for folder in (two, one)]
    assert scores[0] == pytest.approx(scores[1], abs=5e-3)
    printed = [line for line in resumed.stdout.splitlines() if line.startswith("Epoch 2/2: loss ")]
    assert f"loss {losses[0][-1]:.4f}" in printed[0]


def test_an_error_in_one_process_ends_both_with_its_trace_alone(
    pair: Callable, tiny: list[str], tmp_path: Path
) -> None:
    ended = pair("failed", *tiny, "trainer.devices=2", f"paths.output_dir={tmp_path}/run", before=FAILING)
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == 1
    assert ended.stderr.rstrip().endswith("RuntimeError: this process alone has failed")
    assert not (tmp_path / "run" / "metrics.json").exists()
    first, second = sequences(tmp_path / "failed")
    assert first[: len(second)] == second
    assert {line.split()[0] for line in second} >= {"all_reduce", "broadcast"}


@pytest.mark.slow
def test_a_frame_that_one_process_cannot_read_ends_both_with_one_sentence(
    pair: Callable, tiny: list[str], tiny_ms3: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_ms3, tmp_path / "data")
    frame = next((tmp_path / "data").glob("Multi-sources/ms3_data/visual_frames/train*/*.png"))
    frame.write_text("no picture")
    plain = [text for text in tiny if not text.startswith("data.root")]
    words = [f"data.root={tmp_path}/data", "trainer.devices=2", f"paths.output_dir={tmp_path}/run"]
    ended = pair("failed", *plain, *words)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("avs: error")
    assert frame.name in line


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a child's death by its parent's is Linux's")
@pytest.mark.parametrize("moment", ["start", "training"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_leaves_no_other(
    tiny: list[str], tmp_path: Path, moment: str, rank: int, request: pytest.FixtureRequest
) -> None:
    words = [*tiny, "trainer.devices=2", "trainer.max_epochs=500", f"paths.output_dir={tmp_path}/run"]
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "avs_lightning.cli", "train", *words]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        first = subprocess.Popen(command, env=env, stdout=file, stderr=file, start_new_session=True)
    request.addfinalizer(lambda: end_group(first.pid))
    wait_until(lambda: len(ranks(first.pid)) == 2)
    if moment == "training":
        wait_until(lambda: "Epoch " in log.read_text())
    other = next(pid for pid in ranks(first.pid) if pid != first.pid)
    os.kill([first.pid, other][rank], signal.SIGKILL)
    code = first.wait(60)
    wait_until(lambda: not ranks(first.pid), 20)
    assert code == (1 if rank else -signal.SIGKILL)
    assert "Traceback" not in log.read_text()
    assert ("process 1 of the run was killed by signal SIGKILL" in log.read_text()) == (rank == 1)


def ranks(group: int) -> list[int]:
    """The processes of a run that are alive: those of its process group, less the loaders'."""
    listed = subprocess.run(["ps", "-ewwo", "pid,ppid,pgid,stat,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 4) for line in listed.stdout.splitlines()[1:]]
    mine = [row for row in rows if int(row[2]) == group and "Z" not in row[3] and "avs_lightning.cli" in row[4]]
    return [int(row[0]) for row in mine if int(row[0]) == group or "--run-folder" in row[4]]


def end_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
