"""What commands that compute nothing cost: CPU seconds and peak memory, from their start to their end."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from avs_lightning.benchmarks.measuring import Comparison, Place, Usage, Variant, Work
from avs_lightning.command import VARIABLE

AVS = (sys.executable, "-m", "avs_lightning.cli")
HELP = (
    "--help",
    *(f"{command} --help" for command in ("train", "eval", "options", "runs", "report", "demo", "bench")),
    *(f"data {action}--help" for action in ("", "make ", "check ", "stats ")),
    *(f"study {action}--help" for action in ("", "list ", "run ", "run demo ", "status ", "table ")),
)
READING = (
    "options",
    "options encoder",
    "runs",
    "study list",
    "study status runs/studies/sweep",
    "study table runs/studies/sweep",
    "report runs/studies/sweep",
    "data stats clips",
)
SWEEP = (
    "train -m data=ms3 data.root=clips data.image_size=64 encoder=resnet18 encoder.weights=none fusion=none "
    "decoder=reference,fpn decoder.channels=16 debug=fast trainer.accelerator=cpu paths.runs_dir=runs"
)
# It starts the command from a small process: a child's peak begins with what its parent holds.
STARTER = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)]))
"""


def start_commands(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield every page of help, and what reads files, in a folder with drawn clips and a sweep of two small cells."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not quick:
            _fill(folder)
        for command in HELP[:2] if quick else (*HELP, *READING):
            ours = Variant("CPU time", partial(prepare_start, command, folder))
            yield Comparison(f"avs {command}", ours, unit="starts")


def prepare_start(command: str, folder: Path) -> Work:
    """Return a start of `avs COMMAND` in a folder.

    Raises:
        RuntimeError: from the start: the command has failed.
    """
    environment = _environment()

    def start() -> Usage:
        starter = [sys.executable, "-c", STARTER, *AVS, *command.split()]
        ended = subprocess.run(starter, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True)
        code, seconds, peak = json.loads(ended.stdout)
        if code:
            raise RuntimeError(f"avs {command} ended with exit code {code}")
        return Usage(seconds, peak)

    return start


def _fill(folder: Path) -> None:
    clips = "data make clips --train 6 --val 4 --test 4 --size 64 --categories 3 --no-videos"
    for command in (clips, SWEEP):
        subprocess.run([*AVS, *command.split()], cwd=folder, env=_environment(), stdout=subprocess.DEVNULL, check=True)
    (sweep,) = (folder / "runs" / "studies").iterdir()
    sweep.rename(sweep.with_name("sweep"))


def _environment() -> dict[str, str]:
    """Those of a user's shell: `avs bench` itself is not the command that these belong to."""
    return {name: value for name, value in os.environ.items() if name != VARIABLE}
