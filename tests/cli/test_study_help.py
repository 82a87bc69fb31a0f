"""`avs study ... --help`: a page for each action, whole words at any width."""

from collections.abc import Callable

import pytest

from avs_lightning.cli.study_help import ACTIONS, PAGES


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_each_action_has_a_page_of_its_own(avs: Callable, action: str, flag: str) -> None:
    ended = avs("study", action, flag)
    assert ended.code == 0
    assert ended.out.startswith(f"avs study {action}: {ACTIONS[action]}")
    words = {word for page in PAGES.values() for word in page.words if word.startswith("--")}
    assert {word for word in words if word in ended.out} == {w for w in PAGES[action].words if w.startswith("--")}


def test_the_first_page_names_them_all(avs: Callable) -> None:
    ended = avs("study", "--help")
    assert ended.code == 0
    assert all(f"  avs study {action}  " in ended.out for action in ACTIONS)


def test_the_page_of_a_study_says_what_can_be_chosen(avs: Callable) -> None:
    ended = avs("study", "run", "table_a1", "data=synthetic", "--help")
    assert ended.code == 0
    chosen = dict(line.split(maxsplit=1) for line in ended.out.rpartition("table_a1: ")[2].splitlines()[3:])
    assert chosen["data"] == "real, synthetic"
    assert chosen["backbone"] == "resnet50, pvt_v2_b5"
    assert chosen["seeds"] == "123"
    assert "study=tabel_a1 is unknown" in avs("study", "run", "tabel_a1", "--help").err


@pytest.mark.parametrize("command", [["study"], *(["study", action] for action in ACTIONS), ["study", "run", "seeds"]])
def test_lines_are_broken_between_words_alone(
    avs: Callable, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {}
    for columns in (50, 80, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        pages[columns] = avs(*command, "--help").out
        assert columns == 50 or all(len(line) < columns for line in pages[columns].splitlines())
    assert pages[50].split() == pages[80].split() == pages[300].split()
