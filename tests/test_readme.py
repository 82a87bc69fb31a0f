"""Every command line in README.md and docs/, taken from the text and run as it is printed."""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

from avs_lightning.methods.avs import VGGish

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BIN = Path(sys.executable).parent
QUICK = re.compile(r"avs (--help|--version|--completion|options|data|study list)\b")
NAME = re.compile(r"avs( [a-z]+){1,2}")
"""In a sentence the name of a command and nothing else: that there is such a command is what it says."""
RUN = "RUN"
PATTERN = re.compile(r"\b(FOLDER|FILE|NAME|KEY|mine)\b")
"""What stands for something else in a command: that is a form, not a command."""
REFUSED = {"trainer.devices=4": "trainer.devices=4: on the CPU"}
"""What this machine has no devices for, and what it says."""
ELSEWHERE = {
    "make test": "is running",
    "pip install": "tests/test_wheel.py",
    "wandb sweep": "needs a server; tests/experiments/test_wandb_sweep.py starts what its agent starts",
}
"""Commands that another test runs, or that cannot be run here."""

ONE_EPOCH = """
whole = module.train
def train(cfg):
    if cfg.data.image_size == 224:
        cfg.trainer.max_epochs = 1
    return whole(cfg)
module.train = train
"""
"""All that differs from what is printed: 15 or 30 epochs of PVT-v2-b5 would take an hour here."""


def commands(document: Path) -> list[str]:
    """The lines of the `sh` blocks, then the commands in the text, without comments; each once."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for command in re.findall(r"`((?:avs|make) [^`]+)`", prose):
        lines.append(f"{command} --help" if NAME.fullmatch(command) else command)
    bare = [" ".join(re.sub(r"(^|\s)#.*$", "", line).split()) for line in lines]
    named = [line for line in dict.fromkeys(bare) if line and not line.startswith(tuple(ELSEWHERE))]
    return [line for line in named if not PATTERN.search(line)]


def first_commands(document: Path) -> list[str]:
    """The commands of a document that none before it has."""
    earlier = {command for other in DOCUMENTS[: DOCUMENTS.index(document)] for command in commands(other)}
    return [command for command in commands(document) if command not in earlier]


def test_commands_are_found(tmp_path: Path) -> None:
    document = tmp_path / "some.md"
    document.write_text(
        "```sh\navs a \\\n    b=1  # why\n# nothing\nmake test\n```\nor `avs c=2` and `d`, `avs c=2`, `avs e`.\n"
    )
    assert commands(document) == ["avs a b=1", "avs c=2", "avs e --help"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, own_folder: Callable[..., Path]) -> Path:
    """A folder with what the commands expect: `data/`, a few drawn clips of both settings, 224 x 224, and `clips/`."""
    folder = own_folder(tmp_path_factory.mktemp("workspace") / "clips").parent
    for setting in ("s4", "ms3"):
        clips = "--train 4 --val 2 --test 2"
        assert not failure(f"avs data make data --setting {setting} {clips} --no-videos", folder)
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_quick_commands_run_as_printed_and_trainings_compose(document: Path, workspace: Path) -> None:
    failures = []
    for command in first_commands(document):
        if QUICK.match(command) or command.endswith(" --help"):
            failures += failure(command, workspace)
        elif command.startswith("make "):
            failures += failure(command.replace("make ", f"make -C {ROOT} -n ", 1), workspace)
        elif command.startswith("avs train ") and RUN not in command and " -m " not in command:
            failures += failure(f"{command} --cfg job", workspace)
    assert not failures, "\n\n".join(failures)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_every_command_runs_as_printed(workspace: Path, published_weights: dict[str, str]) -> None:
    failures = []
    for command in dict.fromkeys(command for document in DOCUMENTS for command in commands(document)):
        if not command.startswith("make "):
            began, more = time.monotonic(), failure(command, workspace, published_weights)
            print(f"{'FAILED' if more else 'passed'} in {time.monotonic() - began:.0f} s: {command}", flush=True)
            failures += more
    assert not failures, "\n\n".join(failures)


def failure(command: str, folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    """Run a command line in a shell; return what went wrong. RUN is the run that ended last."""
    finished = sorted(folder.glob("runs/*/*/metrics.json"), key=lambda path: path.stat().st_mtime)
    if finished:
        command = command.replace(RUN, str(finished[-1].parent.relative_to(folder)))
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **(environment or {})}
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    refusal = next((words for setting, words in REFUSED.items() if setting in command and "--cfg" not in command), None)
    said = ended.stdout + ended.stderr
    if refusal and not torch.cuda.is_available():
        return [] if ended.returncode == 1 and refusal in said else [f"$ {command}\nwas not refused:\n{said}"]
    return [f"$ {command}\nended with {ended.returncode}:\n{said}"] if ended.returncode else []


@pytest.fixture(scope="module")
def published_weights(tmp_path_factory: pytest.TempPathFactory, after_import: Callable) -> dict[str, str]:
    """The environment of a machine that has fetched the published weights: here random ones under their names."""
    folder = tmp_path_factory.mktemp("weights")
    for name in ("resnet50.tv_in1k", "pvt_v2_b5.in1k"):
        kept = folder / "hub" / f"models--timm--{name}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("0" * 40)
        (kept / "snapshots" / ("0" * 40)).mkdir(parents=True)
        model = timm.create_model(name)
        safetensors.torch.save_file(model.state_dict(), kept / "snapshots" / ("0" * 40) / "model.safetensors")
    vggish = folder / "torch" / "hub" / "checkpoints" / "vggish-10086976.pth"
    vggish.parent.mkdir(parents=True)
    torch.save(VGGish().state_dict(), vggish)
    with vggish.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    hooks = {
        "avs_lightning.methods.avs.audio_encoders": f"module.VGGISH_SHA256 = {checksum!r}",
        "avs_lightning.training.train": ONE_EPOCH,
    }
    (folder / "sitecustomize.py").write_text("".join(after_import(name, code) for name, code in hooks.items()))
    paths = {"HF_HOME": str(folder), "TORCH_HOME": str(folder / "torch"), "PYTHONPATH": str(folder)}
    return {**paths, "HF_HUB_OFFLINE": "1"}
