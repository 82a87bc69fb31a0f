"""A real Slurm of one node, this machine, as root and without systemd, everything in one folder.

    python tests/slurm/single_node.py start FOLDER    prints the line that makes sbatch, squeue, ... use it
    python tests/slurm/single_node.py stop FOLDER
    python tests/slurm/single_node.py install         Debian's packages, where root can

munge for the authentication, a private MariaDB and slurmdbd for the accounting, one controller, one node. Two
partitions: jobs of `urgent` take the node from those of `main`, which Slurm then requeues.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PACKAGES = ("slurm-wlm", "munge", "slurmdbd", "mariadb-server")
COMMANDS = ("sbatch", "slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd", "mariadb-install-db", "sacctmgr")
CLUSTER = "single"
DAEMONS = ("slurmd", "slurmctld", "slurmdbd", "mariadb", "munge")
"""In the order in which they are stopped."""

SLURMDBD_CONF = """AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdPort={dbd_port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=root
StorageLoc=accounting
"""
SLURM_CONF = """ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=15
MinJobAge=30
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge/socket
JobAcctGatherType=jobacct_gather/linux
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL State=UP PriorityTier=2
"""


def missing() -> str:
    """Say why no Slurm can be started here; nothing where it can."""
    absent = [name for name in COMMANDS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian, as root: apt-get install {' '.join(PACKAGES)})"
    return "" if os.geteuid() == 0 else "starting munge, slurmd and MariaDB takes root"


def install() -> None:
    """Install Debian's packages where that is possible; their own services are not started."""
    if not missing() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)


def start(folder: Path, bound: bool = False) -> dict[str, str]:
    """Start everything and wait until the node is idle; returns the environment for Slurm's commands.

    Args:
        folder: for every file.
        bound: have Linux stop the daemons when this process ends, however it does.

    Raises:
        RuntimeError: a daemon does not come up; the message names it and its folder. What had started is stopped.
    """
    folder = folder.resolve()
    for name in ("munge", "state", "spool", "sql"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    conf = write_configuration(folder)
    environment = {"SLURM_CONF": str(conf)}
    try:
        start_daemons(folder, {**os.environ, **environment}, ["setpriv", "--pdeathsig=TERM"] if bound else [])
    except BaseException:
        stop(folder)
        raise
    return environment


def write_configuration(folder: Path) -> Path:
    """Write the munge key, slurmdbd.conf and slurm.conf; returns the last."""
    key, dbd, conf = folder / "munge" / "key", folder / "slurmdbd.conf", folder / "slurm.conf"
    names = ("ctld_port", "slurmd_port", "dbd_port", "sql_port")
    ports = dict(zip(names, free_ports(len(names))))
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    dbd.touch(mode=0o600)
    dbd.write_text(SLURMDBD_CONF.format(folder=folder, **ports))
    conf.write_text(
        SLURM_CONF.format(
            cluster=CLUSTER, host=socket.gethostname(), folder=folder, cores=os.cpu_count(),
            memory=int(pages / 2**20 * 0.9), **ports,
        )
    )  # fmt: skip
    (folder / "sql.port").write_text(str(ports["sql_port"]))
    return conf


def start_daemons(folder: Path, env: dict[str, str], prefix: list[str]) -> None:
    """Start munge, MariaDB, slurmdbd, slurmctld and slurmd, each once what it needs answers."""
    munge = folder / "munge"
    files = [f"--{name}={munge / name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    spawn(folder, "munge", [*prefix, "munged", "--foreground", "--force", f"--key-file={munge}/key", *files], env)
    wait("munge", folder, lambda: works(["munge", "--no-input", f"--socket={munge}/socket"], env))

    port, sql = (folder / "sql.port").read_text(), folder / "sql"
    options = ["--no-defaults", "--user=root", f"--datadir={sql}"]
    subprocess.run(
        ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    here = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={sql}/socket", f"--pid-file={sql}/pid"]
    spawn(folder, "mariadb", [*prefix, "mariadbd", *options, *here, "--innodb-buffer-pool-size=64M"], env)
    wait("mariadb", folder, lambda: answers(int(port)))

    own = {**env, "SLURM_CONF": str(folder / "slurmdbd.conf")}  # where slurmdbd looks for its file: beside this one
    spawn(folder, "slurmdbd", [*prefix, "slurmdbd", "-D"], own)
    wait("slurmdbd", folder, lambda: works(["sacctmgr", "-n", "show", "cluster"], env))
    subprocess.run(["sacctmgr", "-i", "add", "cluster", CLUSTER], env=env, check=False, stdout=subprocess.DEVNULL)

    conf = str(folder / "slurm.conf")
    spawn(folder, "slurmctld", [*prefix, "slurmctld", "-D", "-f", conf], env)
    wait("slurmctld", folder, lambda: works(["scontrol", "ping"], env))
    spawn(folder, "slurmd", [*prefix, "slurmd", "-D", "-f", conf], env)
    wait("slurmd", folder, lambda: "idle" in output(["sinfo", "-h", "-o", "%T"], env))


def spawn(folder: Path, name: str, command: list[str], env: dict[str, str]) -> None:
    """Start a daemon in the foreground of a session of its own, and note its number."""
    with (folder / f"{name}.out").open("w") as log:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    (folder / f"{name}.number").write_text(str(process.pid))


def stop(folder: Path) -> None:
    """Cancel what runs and stop every daemon that `start` has noted."""
    folder = folder.resolve()
    env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    if (folder / "slurmctld.number").exists() and works(["scontrol", "ping"], env):
        subprocess.run(["scancel", "--user=root"], env=env, check=False, timeout=20)
        wait("jobs", folder, lambda: not output(["squeue", "-h"], env).strip(), seconds=30, strict=False)
    for name in DAEMONS:
        note = folder / f"{name}.number"
        if note.exists():
            end(int(note.read_text()))
            note.unlink()


def end(number: int) -> None:
    """Stop a process: SIGTERM, and after ten seconds SIGKILL."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(number, signum)
        except ProcessLookupError:
            return
        for _ in range(100):
            if not is_running(number):
                return
            time.sleep(0.1)


def is_running(number: int) -> bool:
    """Say whether a process is there; our own children that have ended are collected."""
    with suppress(ChildProcessError):
        os.waitpid(number, os.WNOHANG)
    return Path(f"/proc/{number}").exists()


def wait(what: str, folder: Path, ready: Callable[[], bool], seconds: float = 60, strict: bool = True) -> None:
    """Wait until something is ready.

    Raises:
        RuntimeError: it does not become so in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            if strict:
                raise RuntimeError(f"{what} did not start within {seconds:.0f} s; see its log in {folder}")
            return
        time.sleep(0.25)


def works(command: list[str], env: dict[str, str]) -> bool:
    """Say whether a command succeeds."""
    return subprocess.run(command, env=env, capture_output=True, check=False, timeout=60).returncode == 0


def output(command: list[str], env: dict[str, str]) -> str:
    """Return what a command prints."""
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60).stdout


def answers(port: int) -> bool:
    """Say whether something listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main(argv: list[str]) -> int:
    """Start, stop or install."""
    if argv == ["install"]:
        install()
    elif len(argv) == 2 and argv[0] == "start":
        if reason := missing():
            print(f"no Slurm can be started here: {reason}", file=sys.stderr)
            return 1
        for name, value in start(Path(argv[1])).items():
            print(f"export {name}={value}")
    elif len(argv) == 2 and argv[0] == "stop":
        stop(Path(argv[1]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
