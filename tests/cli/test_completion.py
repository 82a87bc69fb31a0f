"""Completion as a shell asks for it."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avs_lightning.cli.completion import SCRIPTS

ASK = """
source <(avs --completion bash)
COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
_avs 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


FOUND = [
    ("avs tr", ["train"]),
    ("avs --comp", ["--completion"]),
    ("avs train enc", ["encoder=", "encoder."]),
    ("avs train encoder=res", ["resnet18", "resnet50"]),
    ("avs train data=ms3 fusion=stages", ["stages1234", "stages234", "stages34"]),
    ("avs train trainer.max_e", ["trainer.max_epochs="]),
    ("avs train method.lo", ["method.loss."]),
    ("avs train optimizer=", ["adam", "adamw", "sgd"]),
    ("avs train test=", ["true", "false"]),
    ("avs train --he", ["--help"]),
    ("avs train data.root=x", []),
    ("avs eval enc", []),
    ("avs eval che", ["checkpoint="]),
    ("avs study r", ["run"]),
    ("avs study run table_", ["table_a1", "table_a2"]),
    ("avs data ", ["make", "check", "stats"]),
]
"""Lines, and what their last word can become, less what stands before its last `=`."""


@pytest.fixture(scope="module")
def shell_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `avs` is the present one."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "avs").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m avs_lightning "$@"\n')
    (folder / "avs").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb"}


@pytest.mark.parametrize(("line", "found"), FOUND)
def test_bash_completes(line: str, found: list[str], shell_environment: dict[str, str]) -> None:
    command = ["bash", "--norc", "-c", ASK, "bash", line]
    ended = subprocess.run(command, env=shell_environment, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == found
    assert ended.stderr == ""


def whole(line: str, found: list[str]) -> list[str]:
    """Return what the last word of a line can become, in order of the alphabet."""
    key, equals, _ = line.split(" ")[-1].rpartition("=")
    return sorted(f"{key}{equals}{value}" for value in found)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "found"), [*FOUND, ("avs train data.root=cli", ["clips/"]), ("avs data check cli", ["clips/"])]
)
def test_fish_completes(line: str, found: list[str], shell_environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    command = ["fish", "--no-config", "-c", "avs --completion fish | source; complete -C $argv[1]", line]
    environment = {**shell_environment, "HOME": str(tmp_path)}
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(line.partition("\t")[0] for line in ended.stdout.splitlines()) == whole(line, found)
    assert ended.stderr == ""


TYPED = """
PROMPT=; stty -echo cols 1000
autoload -U compinit; compinit -u -D
zstyle ':completion:*' completer _all_matches _complete
zstyle ':completion:*' insert yes
eval "$(avs --completion zsh)"
shown() { print -r "<$*>" }
print "<re""ady>"
"""
"""Has Tab put everything that it finds into the line."""


@pytest.fixture(scope="module")
def tab_in_zsh(
    shell_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """`tab_in_zsh("avs tr\\t")` is the line after that was typed on a terminal."""
    folder = tmp_path_factory.mktemp("zsh")
    (folder / "clips").mkdir()
    ours, terminal = pty.openpty()
    with subprocess.Popen(
        ["zsh", "-f", "-i"], env=shell_environment, cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(terminal)

        def answer(typed: str) -> str:
            os.write(ours, typed.encode())
            screen, until = "", time.monotonic() + 60
            while not (said := re.search(r"<([^<>]*)>\s", screen)) and time.monotonic() < until:
                if select.select([ours], [], [], 1)[0]:
                    screen += os.read(ours, 65536).decode()
            assert said, screen
            return said[1]

        assert answer(TYPED) == "ready"
        yield lambda line: answer(f"{line}\x01shown '\x05'\n")  # Ctrl-A and Ctrl-E: the beginning and the end
        process.kill()
        os.close(ours)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "found"), [*FOUND, ("avs train data.root=cli", ["clips"]), ("avs data check cli", ["clips"])]
)
def test_zsh_completes(line: str, found: list[str], tab_in_zsh: Callable[[str], str]) -> None:
    before, _, word = line.rpartition(" ")
    shown = tab_in_zsh(f"{line}\t")
    assert shown.startswith(before)
    assert sorted(shown.removeprefix(before).split()) == (whole(line, found) or [word])


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "shown"), [("avs tr\tx", "avs train x"), ("avs train trainer.max_e\tx", "avs train trainer.max_epochs=x")]
)
def test_zsh_puts_a_space_after_what_is_whole(line: str, shown: str, tab_in_zsh: Callable[[str], str]) -> None:
    assert tab_in_zsh(line) == shown


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
