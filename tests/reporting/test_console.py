"""Which process of a run speaks, and how its lines are broken."""

import io
import os

import pytest
from lightning_fabric.utilities.rank_zero import _get_rank
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from avs_lightning.reporting.console import RANKS, Prose, Screen, is_first_process, rank_in


@pytest.mark.parametrize("given", [[], *([name] for name in RANKS), RANKS, RANKS[1:], RANKS[2:], RANKS[::-2]])
def test_the_rank_is_the_one_that_lightning_finds(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)
    for name in given:
        monkeypatch.setenv(name, str(1 + RANKS.index(name)))
    assert rank_in(os.environ) == (_get_rank() or 0)


@pytest.mark.parametrize(("rank", "first"), [(0, True), (1, False)])
def test_what_lightning_has_set_counts(rank: int, first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", str(1 - rank))
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    assert is_first_process() is first


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_lines_of_prose_are_broken_between_words_alone(columns: int) -> None:
    path = "/a/folder-with/[brackets]" * 7
    text = f"fusion=none failed, and the whole of its reason is in {path}\n  the end-of-the-line"
    screen = Screen(file=io.StringIO(), width=columns, color_system=None)
    screen.print(Prose(text), Prose(text, indent=3))
    assert isinstance(screen.file, io.StringIO)
    shown = screen.file.getvalue().splitlines()
    assert " ".join(shown).split() == [*text.split(), *text.split()]
    assert all(len(line) <= columns for line in shown if path not in line)
    assert [line for line in shown if path in line] == [path, f"   {path}"]
