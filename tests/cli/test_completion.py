"""Completion as a shell asks for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.cli.completion import SCRIPTS

ASK = """
source <(avs --completion bash)
COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
_avs 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("avs tr", ["train"]),
        ("avs --comp", ["--completion"]),
        ("avs train enc", ["encoder=", "encoder."]),
        ("avs train encoder=res", ["resnet18", "resnet50"]),
        ("avs train data=ms3 fusion=stages", ["stages1234", "stages234", "stages34"]),
        ("avs train trainer.max_e", ["trainer.max_epochs="]),
        ("avs train method.opt", ["method.optimizer."]),
        ("avs train method.optimizer.name=", ["adam", "adamw"]),
        ("avs train test=", ["true", "false"]),
        ("avs train --he", ["--help"]),
        ("avs train data.root=x", []),
        ("avs eval enc", []),
        ("avs eval che", ["checkpoint="]),
        ("avs study r", ["run"]),
        ("avs study run table_", ["table_a1", "table_a2"]),
        ("avs data ", ["make", "check", "stats"]),
    ],
)
def test_bash_completes(line: str, found: list[str], tmp_path: Path) -> None:
    (tmp_path / "avs").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m avs_lightning "$@"\n')
    (tmp_path / "avs").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", ASK, "bash", line]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == found
    assert ended.stderr == ""


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_one_of_its_shell(avs: Callable, shell: str, tmp_path: Path) -> None:
    ended = avs("--completion", shell)
    assert ended.code == 0
    (tmp_path / "script").write_text(ended.out)
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_another_shell(avs: Callable) -> None:
    ended = avs("--completion", "tcsh")
    assert ended.code == 2
    assert "bash, zsh or fish" in ended.err


def test_nothing_heavy_is_imported() -> None:
    code = "import sys; from avs_lightning.cli import main; main(['--complete', 'train', 'enc']); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "hydra", "omegaconf", "pytorch_lightning"} & set(ended.stdout.split())
