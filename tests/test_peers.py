"""The processes of one run on this machine: one of them speaks, and none stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from avs_lightning import peers

JOINING = "from avs_lightning import peers; peers.join(); print('joined', flush=True); import time; time.sleep(60)"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The present process is the first of a run."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(peers.VARIABLE, "")
    peers.invite()


@pytest.mark.usefixtures("run")
def test_the_first_process_to_fail_says_why() -> None:
    assert peers.fails_first()
    assert not peers.fails_first()
    again = "from avs_lightning import peers; print(peers.fails_first())"
    other = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=True)
    assert other.stdout == "False\n"


def test_a_run_of_one_process_always_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(peers.VARIABLE, raising=False)
    assert peers.fails_first()
    assert peers.fails_first()


@pytest.mark.skipif(sys.platform != "linux", reason="a child's death by its parent's is Linux's")
def test_a_process_ends_with_the_first_one_and_leaves_ctrl_c_to_it(tmp_path: Path) -> None:
    begin = (
        "import subprocess, sys; from avs_lightning import peers; peers.invite()\n"
        f"child = subprocess.Popen([sys.executable, '-c', {JOINING!r}])\n"
        "print(child.pid, flush=True); child.wait()"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    first = subprocess.Popen([sys.executable, "-c", begin], stdout=subprocess.PIPE, text=True, env=env)
    assert first.stdout is not None
    pid = int(first.stdout.readline())
    assert first.stdout.readline() == "joined\n"
    os.kill(pid, signal.SIGINT)
    first.kill()
    first.wait()
    assert first.stdout.read() == ""  # the pipe's end: the other process has it no more


@pytest.mark.usefixtures("run")
def test_a_process_whose_first_one_has_gone_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = os.environ[peers.VARIABLE].partition(":")[2]
    monkeypatch.setenv(peers.VARIABLE, f"{os.getppid()}:{mark}")
    ended = subprocess.run([sys.executable, "-c", JOINING], capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stdout) == (1, "")
