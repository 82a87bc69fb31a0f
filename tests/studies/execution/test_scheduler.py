"""The order of a study's cells, what fails, what waits, what is stopped; the cells here are played by a table."""

import dataclasses
import errno
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from avs_lightning.errors import UserError
from avs_lightning.run import Run, State
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.locks import is_in_hand, lock_cell
from avs_lightning.studies.cells.other_code import settle_other_code
from avs_lightning.studies.execution import scheduler
from avs_lightning.studies.execution.scheduler import Outcome, Watcher, run_cells, states_of

NEVER = 10**9


class Played:
    """A job that ends with `code` after `polls` looks; code 0 leaves metrics.json."""

    def __init__(self, folder: Path, code: int, polls: int, why: str, log: list[str]) -> None:
        self.folder, self.code, self.polls, self.reason, self.log = folder, code, polls, why, log
        self.stopped_in: float | None = None

    def poll(self) -> int | None:
        self.polls -= 1
        if self.polls > 0:
            return None
        if self.code == 0:
            (self.folder / "metrics.json").write_text('{"scores": {"true": {}}}')
        self.log.append(f"end {self.folder.name}")
        return self.code

    def stop(self) -> None:
        time.sleep(0.3)
        self.log.append(f"stop {self.folder.name}")

    def why(self) -> str:
        return self.reason


class Player:
    """An executor whose cells end as the table says: name -> (code, polls)."""

    def __init__(self, ends: Mapping[str, tuple[int, int]] | None = None, slots: int = 1, why: str = "no luck") -> None:
        self.ends, self.slots, self.why = ends or {}, slots, why
        self.log: list[str] = []
        self.most = 0

    def start(self, folder: Path, command: str, processes: tuple[int, int]) -> Played:
        assert (folder / "config.yaml").exists()
        assert is_in_hand(folder)
        self.found = Run(folder).is_done
        assert self.found or not (folder / "metrics.json").exists()
        self.log.append(f"start {folder.name}")
        started, ended = (sum(text.startswith(word) for text in self.log) for word in ("start", "end"))
        self.most = max(self.most, started - ended)
        return Played(folder, *self.ends.get(folder.name, (0, 1)), self.why, self.log)


class Notes(Watcher):
    def __init__(self) -> None:
        self.said: list[str] = []

    def started(self, cell: Cell, state: State) -> None:
        self.said.append(f"{cell.name} {state} started")

    def ended(self, cell: Cell, state: State, why: str = "") -> None:
        self.said.append(f"{cell.name} {state}")

    def held(self, cell: Cell) -> None:
        self.said.append(f"{cell.name} held")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.01)


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Cell]:
    """`cell("a", parent=other)` is a cell of one device without probes."""

    def make(name: str, parent: Cell | None = None) -> Cell:
        config = {"trainer": {"devices": 1, "num_nodes": 1, "accelerator": "cpu"}, "probes": None, "test": True}
        return Cell(name, {"name": name}, 1, config, f"signature-{name}", tmp_path / name, parent)

    return make


def ran(cells: Sequence[Cell], player: Player, watcher: Watcher | None = None) -> Outcome:
    return run_cells(cells, player, watcher or Watcher())


def done_before(cell: Cell, code: str | None = None) -> None:
    (cell.folder / "checkpoints").mkdir(parents=True)
    (cell.folder / "checkpoints" / "last.ckpt").touch()
    (cell.folder / "metrics.json").write_text('{"scores": {"true": {}}}')
    if code:
        (cell.folder / "environment.json").write_text(json.dumps({"code": {"results": code}}))


def test_what_is_done_is_not_run_again(cell: Callable) -> None:
    cells = [cell("a"), cell("b")]
    done_before(cells[0])
    player = Player()
    assert ran(cells, player).done == {"signature-a", "signature-b"}
    assert player.log == ["start b", "end b"]
    again = Player()
    assert ran(cells, again).done == {"signature-a", "signature-b"}
    assert again.log == []
    assert not is_in_hand(cells[1].folder)


def test_as_many_run_as_there_are_slots(cell: Callable) -> None:
    cells = [cell(name) for name in "abcd"]
    player = Player(dict.fromkeys("abcd", (0, 4)), slots=3)
    assert len(ran(cells, player).done) == 4
    assert player.most == 3


def test_parents_come_first(cell: Callable) -> None:
    parent = cell("parent")
    child = cell("child", parent)
    player = Player({"parent": (0, 5)}, slots=2)
    assert ran([parent, child], player).done == {parent.signature, child.signature}
    assert player.log == ["start parent", "end parent", "start child", "end child"]


def test_a_failure_blocks_what_starts_from_it_and_nothing_else(cell: Callable) -> None:
    parent = cell("parent")
    child, other = cell("child", parent), cell("other")
    notes = Notes()
    outcome = ran([parent, child, other], Player({"parent": (1, 2)}), notes)
    assert outcome == Outcome({other.signature}, {parent.signature: "no luck"}, {child.signature: "parent"})
    assert Run(parent.folder).failure == "no luck"
    assert not child.folder.exists()
    assert "child blocked" in notes.said
    again = ran([parent, child, other], Player())
    assert again.done == {parent.signature, child.signature, other.signature}
    assert not Run(parent.folder).failure


def test_what_this_command_has_tried_is_not_tried_again(cell: Callable) -> None:
    """An optimising sweeper asks for batch after batch; a failed trial is not paid for with each."""
    parent = cell("parent")
    cells = [parent, cell("child", parent), cell("later")]
    player = Player()
    outcome = run_cells(cells, player, Watcher(), {parent.signature: "no luck"})
    assert outcome == Outcome({"signature-later"}, {parent.signature: "no luck"}, {"signature-child": "parent"})
    assert player.log == ["start later", "end later"]


def test_an_end_without_results_is_a_failure(cell: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Played, "poll", lambda self: 0)
    outcome = ran([cell("a")], Player())
    assert "ended without all of its results" in outcome.failed["signature-a"]


def test_results_without_the_scores_that_are_asked_for_are_not_done(cell: Callable) -> None:
    one = cell("a")
    done_before(one)
    one.config["probes"] = ["muted"]
    assert states_of([one]) == {one.signature: State.RESUMED}
    one.config["test"] = False
    assert states_of([one]) == {one.signature: State.DONE}


def test_a_cut_metrics_file_is_made_again(cell: Callable) -> None:
    one = cell("a")
    done_before(one)
    (one.folder / "metrics.json").write_text('{"scores": {"tr')
    player = Player()
    assert ran([one], player).done == {one.signature}
    assert player.log == ["start a", "end a"]
    assert Run(one.folder).is_done


@pytest.mark.parametrize(("command", "there"), [("train", True), ("eval", False)])
def test_a_cell_that_lacks_scores_is_tested_again(cell: Callable, command: str, there: bool) -> None:
    """A training tells from metrics.json that it is at its end; an evaluation writes into no finished folder."""
    one = dataclasses.replace(cell("a"), command=command)
    done_before(one)
    one.config["probes"] = ["muted"]
    player = Player()
    ran([one], player)
    assert bool(player.found) == there


@pytest.mark.parametrize("other_succeeds", [True, False])
def test_a_cell_in_other_hands_is_waited_for(cell: Callable, other_succeeds: bool) -> None:
    cells = [cell("a"), cell("b")]
    taken = lock_cell(cells[0].folder)
    assert taken
    assert lock_cell(cells[0].folder) is None
    assert states_of(cells)["signature-a"] == State.RUNNING
    player, notes, outcomes = Player(), Notes(), []
    second = threading.Thread(target=lambda: outcomes.append(scheduler._Cells(cells, player, notes, {})))
    second.start()
    second.join()
    study = outcomes[0]
    for _ in range(5):
        assert study.advance()
    assert notes.said.count("a held") == 1
    assert player.log == ["start b", "end b"]
    if other_succeeds:
        done_before(cells[0])
    taken.release()
    while study.advance():
        pass
    assert study.outcome.done == {"signature-a", "signature-b"}
    assert ("start a" in player.log) != other_succeeds


def test_a_run_that_is_still_ending_is_waited_for(cell: Callable) -> None:
    """A driver that was killed leaves its claim at once, and its cell the run's own lock a little later."""
    one = cell("a")
    with Run(one.folder).locked():
        assert lock_cell(one.folder) is None
        assert is_in_hand(one.folder)
    taken = lock_cell(one.folder)
    assert taken
    taken.release()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_at_once_and_frees_the_cells(cell: Callable, signum: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a script's background
    cells = [cell(name) for name in "abcd"]
    player = Player(dict.fromkeys("abcd", (0, NEVER)), slots=3)
    threading.Timer(0.3, os.kill, (os.getpid(), signum)).start()
    before = signal.getsignal(signal.SIGTERM)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ran(cells, player)
    assert time.monotonic() - begun < 0.3 + 0.3 + 0.4  # each takes 0.3 s to stop
    assert sorted(player.log) == [f"{what} {name}" for what in ("start", "stop") for name in "abc"]
    assert not any(is_in_hand(cell.folder) for cell in cells)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_full_disk_is_the_end(cell: Callable) -> None:
    cells = [cell(name) for name in "abc"]
    why = f"last.ckpt could not be written: {os.strerror(errno.ENOSPC)}"
    outcome = ran(cells, Player({"a": (1, 1)}, why=why))
    assert outcome.failed == {"signature-a": why}
    assert outcome.left == {"signature-b", "signature-c"}
    assert ran(cells, Player()).done == {"signature-a", "signature-b", "signature-c"}


def test_a_folder_that_cannot_be_written_fails_its_cell(cell: Callable) -> None:
    cells = [cell("a"), cell("b")]
    cells[0].folder.write_text("a file is in the way")
    outcome = ran(cells, Player())
    assert f"{cells[0].folder} cannot be written: File exists" in outcome.failed["signature-a"]
    assert outcome.done == {"signature-b"}


@pytest.fixture
def foreign(cell: Callable, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Cells by this code, by another that has finished, by another that has not, and a new one."""
    monkeypatch.setattr("avs_lightning.studies.cells.other_code.present_code", lambda: "new")
    cells = [cell(name) for name in ("ours", "finished", "begun", "fresh")]
    done_before(cells[0], "new")
    done_before(cells[1], "old")
    done_before(cells[2], "old")
    (cells[2].folder / "metrics.json").unlink()
    return cells


def test_other_code_is_refused_by_name(foreign: list[Cell]) -> None:
    with pytest.raises(UserError) as caught:
        settle_other_code(foreign, "refuse")
    assert "2 of 4 cells were trained by another version of the code than this one (new)" in str(caught.value)
    for one in foreign[1:3]:
        assert f"  {one.name}: code old, in {one.folder}" in str(caught.value)
    assert "launcher.other_code=keep" in str(caught.value)
    assert "launcher.other_code=retrain" in str(caught.value)


def test_keep_takes_what_is_finished_and_begins_the_rest_anew(foreign: list[Cell]) -> None:
    assert settle_other_code(foreign, "keep") == [foreign[1]]
    assert foreign[1].folder.exists()
    assert not foreign[2].folder.exists()
    assert (foreign[2].folder.with_name("begun.code-old") / "checkpoints" / "last.ckpt").exists()


def test_retrain_moves_both_aside_every_time(foreign: list[Cell]) -> None:
    assert settle_other_code(foreign, "retrain") == []
    assert not foreign[1].folder.exists()
    done_before(foreign[1], "old")
    settle_other_code(foreign, "retrain")
    names = {path.name for path in foreign[1].folder.parent.iterdir()}
    assert names == {"ours", "finished.code-old", "finished.code-old-2", "begun.code-old"}


def test_what_runs_is_not_moved(foreign: list[Cell]) -> None:
    with Run(foreign[1].folder).locked(), pytest.raises(UserError, match="is running in another command"):
        settle_other_code(foreign, "retrain")


def test_an_unknown_choice_is_refused(foreign: list[Cell]) -> None:
    with pytest.raises(UserError, match=r"launcher\.other_code=kepe is unknown.*did you mean keep"):
        settle_other_code(foreign, "kepe")
