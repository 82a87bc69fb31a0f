"""What goes wrong in sweeps over several devices: stock Hydra and Lightning get it wrong, and most of it silently.

Lightning's script launcher repeats the command line in each child, `-m` included, and Hydra's launchers run the jobs in
one process. Every test here says what that leads to.
"""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

HOOK = r"""
import os, re, sys, time
if "train" in sys.orig_argv and "-m" not in sys.orig_argv[4:]:  # a cell, not the driver
    from avs_lightning.data.datasets import LayoutDataset
    seen, hold, read = os.environ.get("AVS_TEST_SEEN"), os.environ.get("AVS_TEST_HOLD"), LayoutDataset.__getitem__
    fails = os.environ.get("AVS_TEST_FAILS", "none at all")
    taken = []
    def watched(self, index):
        clip = read(self, index)
        rank, argv = os.environ.get("LOCAL_RANK", "0"), " ".join(sys.orig_argv)
        split = clip.id.partition("_")[0]
        taken.append(split)
        if seen:
            with open(seen, "a") as file:
                cell = re.search(r"/cells/([\w.-]+)", argv)[1]
                print(cell, os.getpid(), rank, split, clip.id, file=file)
        if fails in argv and rank == "0" and split == "train":
            raise RuntimeError("the first process alone has failed")
        if hold and os.path.exists(hold) and taken.count("train") > 2:  # in the second epoch of two clips each
            open(hold + "-reached-" + rank, "w").close()
            while os.path.exists(hold):
                time.sleep(0.05)
        return clip
    LayoutDataset.__getitem__ = watched
"""
"""Put before the cells' own code as sitecustomize: tells which process reads which clip, fails and waits on demand."""
PAIR = [
    "trainer.devices=2",
    "trainer.max_epochs=2",
    "data.limit=4",
    "data.workers=0",
]  # so that `HOOK` sees each reading
EPOCHS, TRAIN = 2, 4


@dataclass(frozen=True)
class Pairs:
    """A sweep of three cells with two processes each, the first of which fails in its first process."""

    runs: Path
    code: int
    out: str
    err: str
    seen: list[list[str]]

    def cell(self, label: str) -> Path:
        (folder,) = (self.runs / "cells").glob(f"*_{label}-*")
        return folder

    def read_by(self, folder: Path) -> list[list[str]]:
        """pid, rank, split and clip of every reading in a cell."""
        return [line[1:] for line in self.seen if line[0] == folder.name]


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that puts `HOOK` into every cell."""
    folder = tmp_path_factory.mktemp("hook")
    (folder / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def pairs(
    begin: Callable, smallest: list[str], hook: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Pairs:
    folder = tmp_path_factory.mktemp("pairs")
    seen = folder / "seen"
    env = {**hook, "AVS_TEST_SEEN": str(seen), "AVS_TEST_FAILS": "_stage1-"}
    given = ["train", "-m", *smallest, *PAIR, "fusion=stage1,none,stage4", "paths.runs_dir=runs"]
    process = begin(*given, cwd=folder, env=env)
    out, err = process.communicate()
    return Pairs(
        folder / "runs", process.returncode, out, err, [line.split() for line in seen.read_text().splitlines()]
    )


def test_every_clip_is_seen_once_an_epoch_by_all_processes_together(pairs: Pairs) -> None:
    """Stock: the child re-runs the whole sweep, the ranks drift into different jobs, each trains on half the clips."""
    for label in ("none", "stage4"):
        read = pairs.read_by(pairs.cell(label))
        by_rank = {rank: [clip for _, r, split, clip in read if (r, split) == (rank, "train")] for rank in "01"}
        assert len({pid for pid, *_ in read}) == 2
        share = TRAIN // 2
        for epoch in range(EPOCHS):
            halves = [set(clips[epoch * share : (epoch + 1) * share]) for clips in by_rank.values()]
            assert len(halves[0] | halves[1]) == TRAIN, (epoch, by_rank)
        counts = Counter(clip for clips in by_rank.values() for clip in clips)
        assert set(counts.values()) == {EPOCHS}


def test_each_cell_of_two_processes_has_one_folder_and_one_dashboard(pairs: Pairs) -> None:
    """Stock: every rank makes a folder of its own second, and all jobs of the sweep write into one W&B run."""
    assert len(list((pairs.runs / "cells").iterdir())) == 3
    groups = set()
    for label in ("none", "stage4"):
        folder = pairs.cell(label)
        assert "MEMBER: 1/2" in (folder / "run.log").read_text()
        result = json.loads((folder / "metrics.json").read_text())
        assert (result["epochs"], result["steps"]) == (EPOCHS, EPOCHS * TRAIN // (2 * 2))
        assert len(list(folder.glob("wandb/offline-run-*"))) == 1
        dashboard = yaml.safe_load((folder / "config.yaml").read_text())["logger"]["wandb"]
        assert dashboard["name"] == f"fusion={label}"
        groups.add(dashboard["group"])
    assert groups == {path.name for path in (pairs.runs / "studies").iterdir()}  # of this sweep and of no other


def test_a_job_that_fails_in_one_process_leaves_the_next_ones_whole(pairs: Pairs) -> None:
    """Stock: the failed job's other rank waits for ever, or enters the next job's process group and spoils it."""
    assert pairs.code == 1
    assert "1 of 3 cells failed:\n  fusion=stage1: " in pairs.err
    assert "the first process alone has failed" in pairs.err
    assert f"({pairs.cell('stage1')}/output.log)" in pairs.err
    assert pairs.err.count("avs: error") == 1
    assert not (pairs.cell("stage1") / "metrics.json").exists()
    assert len({pid for pid, *_ in pairs.read_by(pairs.cell("stage1"))}) == 2
    assert not processes_of(pairs.runs)


@pytest.fixture
def drive(begin: Callable, smallest: list[str], hook: dict[str, str], tmp_path: Path) -> Iterator[Callable]:
    """`drive("fusion=none")` starts a sweep over two processes that stops in the second epoch while `hold` is there."""
    started = []

    def start(*given: str) -> subprocess.Popen[str]:
        env = {**hook, "AVS_TEST_HOLD": str(tmp_path / "hold")}
        common = ["train", "-m", *smallest, *PAIR, f"paths.runs_dir={tmp_path}/runs"]
        started.append(begin(*common, *given, cwd=tmp_path, env=env))
        return started[-1]

    yield start
    for driver in started:
        driver.kill()
        driver.wait()
    for pid in processes_of(tmp_path / "runs"):
        os.kill(pid, signal.SIGKILL)


def processes_of(runs: Path) -> list[int]:
    """Every living process whose command line names a cell of these runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"{runs}/cells/" in (path / "cmdline").read_text():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def wait_until(true: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_sweep_leaves_no_process_and_goes_on(
    drive: Callable, pairs: Pairs, tmp_path: Path, scores_in: Callable, signum: int
) -> None:
    """Stock: the driver's end leaves the other rank's sweep running, and there is no going on: Hydra has no resume."""
    hold = tmp_path / "hold"
    hold.touch()
    driver = drive("fusion=stage4")
    wait_until(lambda: len(list(tmp_path.glob("hold-reached-*"))) == 2)
    assert len(processes_of(tmp_path / "runs")) == 2
    os.kill(driver.pid, signum)  # the driver alone
    _, err = driver.communicate(timeout=60)
    wait_until(lambda: not processes_of(tmp_path / "runs"), 30)
    if signum != signal.SIGKILL:
        assert driver.returncode == 1
        assert "was stopped, its running cells too; the same command goes on from here" in err
        assert err.count("avs: error") == 1
    hold.unlink()
    again = drive("fusion=stage4")
    out, err = again.communicate(timeout=400)
    assert again.returncode == 0, err
    assert "goes on: " in out
    (folder,) = (tmp_path / "runs" / "cells").iterdir()
    log = (folder / "run.log").read_text()
    assert [log.count(f"Epoch {epoch}/2: loss") for epoch in (1, 2)] == [1, 1]  # the first was not trained again
    assert scores_in(folder) == scores_in(pairs.cell("stage4"))


@pytest.mark.slow
def test_a_killed_cell_is_named_with_its_signal_and_the_others_go_on(drive: Callable, tmp_path: Path) -> None:
    """Stock: the killed rank's partner waits in a collective for half an hour, and the sweep with it."""
    hold = tmp_path / "hold"
    hold.touch()
    driver = drive("fusion=none,stage4")
    wait_until(lambda: len(list(tmp_path.glob("hold-reached-*"))) == 2)
    first = min(processes_of(tmp_path / "runs"))
    hold.unlink()
    os.kill(first, signal.SIGKILL)
    out, err = driver.communicate(timeout=400)
    assert driver.returncode == 1
    assert "1 of 2 cells failed:\n  fusion=none: killed by signal SIGKILL" in err
    assert "(2/2): fusion=stage4" in out
    again = drive("fusion=none,stage4")
    out, err = again.communicate(timeout=400)
    assert again.returncode == 0, err
    assert "1 done, 1 failed" in out
    assert out.count("starts: ") == 1


@pytest.mark.slow
def test_a_sweep_over_devices_trains_each_with_as_many(begin: Callable, smallest: list[str], tmp_path: Path) -> None:
    """Stock: the second job takes the first one's process group: world size 2, one real member, half of the clips."""
    given = ["train", "-m", *smallest, "data.limit=4", "fusion=none", "trainer.devices=1,2", "paths.runs_dir=runs"]
    process = begin(*given, cwd=tmp_path)
    _, err = process.communicate()
    assert process.returncode == 0, err
    seen = {}
    for folder in (tmp_path / "runs" / "cells").iterdir():
        devices = yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["devices"]
        steps = json.loads((folder / "metrics.json").read_text())["steps"]
        seen[devices] = steps, "MEMBER: 1/2" in (folder / "run.log").read_text()
    assert seen == {1: (2, False), 2: (1, True)}  # four clips in batches of two


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a hundred megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up(begin: Callable, swept, small_disk: Path, tmp_path: Path) -> None:
    """The sweep ends at the first cell that finds no room; what was done is kept, and the same command goes on."""
    runs = small_disk / "runs"
    subprocess.run(["cp", "-r", str(swept.runs), str(runs)], check=True)
    before = (swept.cell("none") / "metrics.json").read_bytes()
    extended = [text if not text.startswith("fusion=") else "fusion=none,stage3,stage2" for text in swept.command]
    room = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes((room.f_bavail - 100) * room.f_bsize))
    process = begin(*extended, f"paths.runs_dir={runs}", cwd=tmp_path)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.count("avs: error") == 1
    assert "1 of 3 cells failed:\n  fusion=stage3: " in err
    assert "No space left on device" in err
    assert "1 of 3 cells were not begun: the disk is full. Free some space." in err
    assert "Traceback" not in err
    (folder,) = runs.glob("cells/*_none-*")
    assert (folder / "metrics.json").read_bytes() == before
    (small_disk / "ballast").unlink()
    again = begin(*[text.replace(",stage2", "") for text in extended], f"paths.runs_dir={runs}", cwd=tmp_path)
    out, err = again.communicate()
    assert again.returncode == 0, err
    assert "1 done, 1 failed" in out
