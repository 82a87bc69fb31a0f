"""One run over two machines, by torchrun: two network namespaces where root can make them, else loopback addresses."""

import csv
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Machine:
    """Where a process runs: its address, what its command begins with, and the network device that gloo is to use."""

    address: str
    prefix: tuple[str, ...] = ()
    device: str | None = None


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    """Two addresses that reach each other."""
    names = [f"avs-{secrets.token_hex(3)}" for _ in range(2)]
    linked = os.geteuid() == 0 and shutil.which("ip") is not None and link(names)
    try:
        yield (
            [Machine(f"10.213.7.{i + 1}", ("ip", "netns", "exec", name), "eth0") for i, name in enumerate(names)]
            if linked
            else [Machine("127.0.0.1"), Machine("127.0.0.2")]
        )
    finally:
        if linked:
            for name in names:
                ip("netns", "delete", name)


def link(names: list[str]) -> bool:
    """Make two network namespaces with a cable between; False where the kernel does not let us."""
    made = all(ip("netns", "add", name) for name in names)
    ends = ("eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
    made = made and ip("link", "add", *ends)
    for number, name in enumerate(names):
        made = made and ip("-n", name, "address", "add", f"10.213.7.{number + 1}/24", "dev", "eth0")
        made = made and all(ip("-n", name, "link", "set", device, "up") for device in ("lo", "eth0"))
    if not made:
        for name in names:
            ip("netns", "delete", name)
    return made


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


def start(machines: list[Machine], rank: int, port: int, arguments: list[str], cwd: Path) -> subprocess.Popen[str]:
    """Start what one types on machine number `rank`."""
    master = ["--master-addr", machines[0].address, "--master-port", str(port)]
    nodes = ["--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", *nodes, *master, "-m", "avs_lightning.cli"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    if machines[rank].device:
        env["GLOO_SOCKET_IFNAME"] = str(machines[rank].device)
    return subprocess.Popen(
        [*machines[rank].prefix, *torchrun, *arguments], env=env, cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.mark.slow
def test_two_machines_train_one_run(
    avs: Callable, tiny: list[str], tmp_path: Path, machines: list[Machine], scores_in: Callable
) -> None:
    folder = tmp_path / "runs" / "two"
    given = ["train", *tiny, "trainer.num_nodes=2", "trainer.devices=1", f"paths.output_dir={folder}"]
    port = free_port()
    running = [start(machines, rank, port, given, tmp_path) for rank in (0, 1)]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert [out.count("Everything is in") for out, _ in said] == [1, 0]

    result = json.loads((folder / "metrics.json").read_text())
    assert result["steps"] == 4  # five clips: three to each, in batches of two
    assert [path.name for path in folder.parent.iterdir()] == ["two"]
    assert "MEMBER: 1/2" in (folder / "run.log").read_text()
    with (folder / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == list("01234")
    with (folder / "clips.csv").open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert len(ids) == len(set(ids)) == 3  # one of the three test clips is dealt out twice

    alone = avs("eval", f"checkpoint={folder}/checkpoints/best.ckpt", f"paths.output_dir={tmp_path}/eval")
    assert alone.code == 0, alone.err
    assert scores_in(tmp_path / "eval") == scores_in(folder)
