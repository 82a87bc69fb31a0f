"""Loader processes that find no shared memory, or are killed: one sentence, from any command that loads."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.data.loader_processes import explained_deaths
from avs_lightning.errors import UserError

MOUNT = "mount -t tmpfs -o size={size} tmpfs /dev/shm"


@pytest.fixture
def with_shared_memory() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`with_shared_memory("256k", "train", ...)` runs the command with a /dev/shm of that size."""
    unshare = shutil.which("unshare")
    trial = [unshare or "", "-m", "sh", "-c", MOUNT.format(size="1m")]
    if unshare is None or subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("mounting another /dev/shm takes Linux and root")

    def run(size: str, *words: str) -> subprocess.CompletedProcess[str]:
        start = [
            *trial[:-1],
            MOUNT.format(size=size) + ' && exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "avs_lightning.cli",
        ]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run([*start, *words], env=env, capture_output=True, text=True, check=False, timeout=200)

    return run


@pytest.mark.parametrize("size", ["256k", "4k"])
def test_a_small_shared_memory_is_named_with_what_helps(
    with_shared_memory: Callable, tiny: list[str], tiny_run: Path, tmp_path: Path, size: str
) -> None:
    words = [f"checkpoint={tiny_run}/checkpoints/best.ckpt", "data.workers=2", "trainer.accelerator=cpu"]
    ended = with_shared_memory(size, "eval", *words, f"paths.output_dir={tmp_path}/run")
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line]
    assert line.startswith("avs: error")
    for word in ("/dev/shm", "data.workers=0", "--shm-size"):
        assert word in line


@pytest.mark.parametrize(
    "words, said",
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", r"pid 12\) was killed by signal: Killed.*memory"),
        (
            "DataLoader worker (pid 12) is killed by signal: Bus error. It is",
            "shared memory.*data.workers",
        ),
        ("DataLoader worker (pid(s) 12, 13) exited unexpectedly", r"pid 12, 13\) exited unexpectedly"),
    ],
)
def test_the_death_of_a_loader_process_is_a_sentence(words: str, said: str) -> None:
    with pytest.raises(UserError, match=said), explained_deaths():
        raise RuntimeError(words)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="sizes"), explained_deaths():
        raise RuntimeError("sizes of tensors must match")
