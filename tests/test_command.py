"""The command that a user typed."""

import os
import subprocess
import sys

import pytest

from avs_lightning.command import VARIABLE, typed, typed_words


def test_commands_within_one_process_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for words in (["avs", "train", "name='a b'"], ["avs", "eval"]):
        with typed(words), typed(["avs", "inner"]):
            assert typed_words() == words
    assert VARIABLE not in os.environ


def test_a_child_process_knows_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    code = "from avs_lightning.command import typed_words; print(*typed_words(), sep='|')"
    with typed(["avs", "train", "-m", "seed=0,1"]):
        child = subprocess.run([sys.executable, "-c", code, "other"], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "avs|train|-m|seed=0,1"


@pytest.mark.parametrize("content", ["", "{", "3"])
def test_a_variable_that_says_nothing_is_passed_over(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, content)
    monkeypatch.setattr(sys, "argv", ["/bin/script.py", "a=1"])
    assert typed_words() == ["script.py", "a=1"]
