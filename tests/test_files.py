"""Files that are whole or not there, on disks that are full."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from avs_lightning.errors import UserError
from avs_lightning.files import replacing
from avs_lightning.training.checkpoint_io import AtomicCheckpointIO

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("before")
    with replacing(target) as file:
        file.write(b"after")
        assert target.read_text() == "before"
    assert target.read_text() == "after"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_what_stops_the_writing_leaves_the_previous_file(tmp_path: Path, stop: type[BaseException]) -> None:
    target = tmp_path / "file"
    target.write_text("before")

    def write() -> None:
        with replacing(target) as file:
            file.write(b"half")
            raise stop

    with pytest.raises(stop):
        write()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@needs_full
def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    target = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, target)
    (tmp_path / "last.ckpt.part").symlink_to(FULL)
    with pytest.raises(UserError) as caught:
        AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(100_000)}, target)
    message = str(caught.value)
    assert f"{target} could not be written" in message
    assert os.strerror(errno.ENOSPC) in message
    assert "the checkpoint that was there before is whole" in message
    assert "avs train resume=" in message
    assert torch.load(target, weights_only=True) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


@needs_full
def test_a_full_disk_at_the_first_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt.part").symlink_to(FULL)
    with pytest.raises(UserError, match="no earlier one is there"):
        AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(100_000)}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of forty megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_run_on_a_disk_that_fills_up(avs: Callable, tiny: list[str], small_disk: Path) -> None:
    folder = small_disk / "run"
    small = ["decoder.channels=8", "fusion=none", "trainer.max_epochs=3", "test=false"]
    assert avs("train", *tiny, *small, f"paths.output_dir={folder}").code == 0
    last = (folder / "checkpoints" / "last.ckpt").read_bytes()
    room = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes((room.f_bavail - 20) * room.f_bsize))
    ended = avs("train", f"resume={folder}", "trainer.max_epochs=5")
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert ended.err.count("avs: error") == 1
    assert "could not be written: " in ended.err
    assert os.strerror(errno.ENOSPC) in ended.err
    assert (folder / "checkpoints" / "last.ckpt").read_bytes() == last
    assert not list(folder.rglob("*.part"))
    (small_disk / "ballast").unlink()
    assert avs("train", f"resume={folder}", "trainer.max_epochs=5").code == 0


def test_a_killed_writer_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    target = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, target)
    child = os.fork()
    if child == 0:
        with replacing(target) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert torch.load(target, weights_only=True) == {"epoch": 1}
    AtomicCheckpointIO().save_checkpoint({"epoch": 2}, target)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
