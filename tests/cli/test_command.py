"""`avs` itself: what it prints and which exit code it returns before any command runs."""

import subprocess
import sys
from collections.abc import Callable

import pytest

import avs_lightning
from avs_lightning.cli import COMMANDS


def test_help_lists_every_command(avs: Callable) -> None:
    ended = avs("--help")
    assert ended.code == 0
    assert all(f"\n  {name}" in ended.out for name in COMMANDS)


def test_no_command_is_a_wrong_command_line(avs: Callable) -> None:
    ended = avs()
    assert ended.code == 2
    assert "usage: avs COMMAND" in ended.out


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["train", "--version"], ["data", "--version"]])
def test_version(avs: Callable, words: list[str]) -> None:
    ended = avs(*words)
    assert ended.code == 0
    assert ended.out.split() == ["avs-lightning", avs_lightning.__version__]


def test_an_unknown_command_names_the_nearest(avs: Callable) -> None:
    ended = avs("trian")
    assert ended.code == 2
    assert "there is no command 'trian'" in ended.err
    assert "did you mean train" in ended.err


@pytest.mark.parametrize(("command", "has", "lacks"), [("train", "encoder", "nosuch"), ("eval", "data", "decoder")])
def test_help_of_a_configured_command_lists_the_groups_that_act(
    avs: Callable, monkeypatch: pytest.MonkeyPatch, command: str, has: str, lacks: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = avs(command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"avs {command}: ")
    groups = [line.split()[0] for line in ended.out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert has in groups
    assert lacks not in groups
    assert all(len(line) < 80 for line in ended.out.splitlines())


def test_the_configuration_is_printed_without_building_anything(avs: Callable) -> None:
    ended = avs("train", "--cfg", "job", "data=ms3", "fusion=stages34", "encoder=convnext_tiny")
    assert ended.code == 0
    assert "max_epochs: 30" in ended.out  # the recipe of MS3
    assert "stages:\n  - 3\n  - 4\n" in ended.out
    assert "name: convnext_tiny" in ended.out  # any timm backbone, with no file of its own


def test_the_command_line_of_the_process_is_left_as_it_was(avs: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pytest", "tests"])
    avs("train", "--cfg", "job")
    avs("train", "trainer.max_epoch=3")
    import sys

    assert sys.argv == ["pytest", "tests"]


@pytest.mark.parametrize("module", ["avs_lightning", "avs_lightning.cli"])
def test_the_package_runs_as_a_module(module: str) -> None:
    ended = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["avs-lightning", avs_lightning.__version__]
