"""What is shown while a study runs."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from avs_lightning.run import State
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.execution import watching
from avs_lightning.studies.execution.watching import Bars, Lines, seconds_left, spoken, watcher_for


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    return [Cell(f"fusion=stage{i} seed=1", {}, 1, {}, f"s{i}", tmp_path / f"s{i}") for i in range(4)]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], io.StringIO]:
    """`shown(terminal)` puts a console of 80 columns in the place of the real one and returns what it writes to."""

    def replace(terminal: bool) -> io.StringIO:
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=80, color_system=None)
        monkeypatch.setattr(watching, "console", console)
        return text

    return replace


def report(cell: Cell, fraction: float) -> None:
    cell.folder.mkdir(exist_ok=True)
    content = {"fraction": fraction, "phase": "train", "epoch": 3, "epochs": 15, "updated": 0}
    (cell.folder / "progress.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("total", "done", "before", "elapsed", "left"),
    [
        (10, 0, 0, 60, None),  # nothing to tell it from
        (10, 5, 0, 100, 100.0),
        (10, 6, 5, 100, 400.0),  # one cell in 100 s, four to go: what was done before says nothing about the pace
        (4, 0.5, 0, 30, 210.0),  # from a part of a cell
        (4, 0.5, 0.5, 30, None),  # a resumed cell that has not gone on yet
        (4, 2.5, 0.5, 30, 22.5),
        (3, 3, 1, 50, 0.0),
    ],
)
def test_the_time_left(total: float, done: float, before: float, elapsed: float, left: float | None) -> None:
    assert seconds_left(total, done, before, elapsed) == left


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3570, "1 h 0 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
)
def test_durations_as_people_say_them(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


def test_without_a_terminal_a_line_a_change(cells: list[Cell], shown: Callable) -> None:
    text = shown(False)
    with watcher_for(cells) as watcher:
        assert type(watcher) is Lines
        watcher.ended(cells[0], State.DONE)  # it was done before
        watcher.started(cells[1], State.RESUMED)
        watcher.started(cells[2], State.NEW)
        watcher.ended(cells[1], State.DONE)
        watcher.ended(cells[2], State.FAILED, "the [reason] and " + "a long path/" * 10)
        watcher.held(cells[3])
        watcher.stopping([cells[3]])
    lines = text.getvalue().splitlines()
    assert lines[:3] == [
        "goes on: fusion=stage1 seed=1",
        "starts: fusion=stage2 seed=1",
        "done in 0 s (2/4): fusion=stage1 seed=1",
    ]
    assert lines[3] == "failed in 0 s (3/4): fusion=stage2 seed=1: the [reason] and " + "a long path/" * 10
    assert lines[4].startswith("waits for fusion=stage3 seed=1, which another command is running")
    assert lines[5] == "stopping fusion=stage3 seed=1 (each leaves a checkpoint first)"


def test_on_a_terminal_all_cells_the_running_ones_and_the_time_left(
    cells: list[Cell], shown: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(True)
    now = [1000.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0])
    with watcher_for(cells) as watcher:
        assert isinstance(watcher, Bars)
        watcher.ended(cells[0], State.DONE)  # done before: it says nothing about the pace
        report(cells[1], 0.5)
        watcher.started(cells[1], State.RESUMED)  # half of it was done before
        watcher.started(cells[2], State.NEW)
        now[0] += 100
        report(cells[1], 0.75)
        report(cells[2], 0.25)
        watcher.waiting(cells[1:3])
        watcher.progress.refresh()
        watcher.ended(cells[2], State.DONE)
        now[0] += 100
        watcher.waiting(cells[1:2])
        watcher.progress.refresh()
    screen = text.getvalue()
    lines = screen.replace("\r", "\n").splitlines()
    first = next(line for line in lines if "all cells" in line and "7 min" in line)
    assert "1/4" in first
    assert "about 7 min left" in first  # half a cell in 100 s, two to go: 400 s
    assert any("fusion=stage1 seed=1" in line and "75/100" in line and "train, epoch 3/15" in line for line in lines)
    assert any("fusion=stage2 seed=1" in line and "25/100" in line for line in lines)
    assert any("all cells" in line and "2/4" in line for line in lines)
    assert all(len(line) <= 100 for line in lines)  # 80 columns, and the terminal's own signs
