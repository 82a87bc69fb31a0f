"""What a session says and refuses, without training: the cells' table, the messages, the names."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from avs_lightning.errors import UserError
from avs_lightning.run import Run, State
from avs_lightning.studies import session
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.composing import Composed
from avs_lightning.studies.execution.scheduler import Outcome
from avs_lightning.studies.session import Session, failures
from avs_lightning.studies.spec.cell_spec import CellSpec
from avs_lightning.studies.status import cells_table

AXES = ["setting", "backbone", "fusion"]


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Cell]:
    def make(number: int, parent: Cell | None = None) -> Cell:
        values = ["ms3", "resnet50", f"stages{number}"]
        signature = f"{number:010x}"
        folder = tmp_path / "cells" / f"ms3_resnet50_stages{number}-{signature}"
        config = {"trainer": {"devices": 1, "num_nodes": 1, "accelerator": "cpu"}}
        return Cell(" ".join(values), dict(zip(AXES, values)), 123, config, signature, folder, parent)

    return make


def shown(table: Any) -> str:
    text = io.StringIO()
    Console(file=text, width=80, color_system=None).print(table)
    return text.getvalue()


def test_states_and_what_they_mean_fit_eighty_columns(cell: Callable) -> None:
    parent = Cell("s4_resnet50_stages1", {"starts": "single_source"}, 123, {}, "f" * 10, Path("s4"))
    cells = [parent, *(cell(number, parent) for number in range(4))]
    Run(cells[4].folder).fail("the data set is not there: " + "/a/long/path" * 10)
    cells[1].folder.mkdir(parents=True)
    (cells[1].folder / "metrics.json").write_text('{"cut')
    states = dict(
        zip([c.signature for c in cells], [State.DONE, State.RESUMED, State.NEW, State.RUNNING, State.FAILED])
    )
    text = shown(cells_table("table_a1", cells, states, kept=[parent]))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "table_a1: 5 cells, 1 done, 1 resumed, 1 new, 1 failed, 1 running" in text
    for meaning in (
        "done: its results are there",
        "resumed: goes on from its last checkpoint",
        "new: starts from the beginning",
        "failed: failed before, is tried again",
        "running: another command runs it, its results are taken",
    ):
        assert meaning in text
    assert "blocked:" not in text
    flat = " ".join(text.replace("│", " ").split())
    assert "done by" in flat
    for one in cells:
        assert one.signature in text  # whole, on one line: to be copied


def test_what_sets_the_cells_of_a_sweep_apart_stays_whole(tmp_path: Path) -> None:
    keys = ("trainer.max_epochs", "fusion", "optimizer.weight_decay", "trainer.gradient_clip_val")
    settings = [f"{key}={value}" for value, key in enumerate(keys)]
    one = Cell(" ".join(settings), dict(zip(keys, "0123")), 123, {}, "a" * 10, tmp_path)
    parent = Cell("s4_test_convnext_stages1234 seed 0", {}, 0, {}, "b" * 10, tmp_path)
    states = {"a" * 10: State.NEW, "b" * 10: State.NEW}
    words = shown(cells_table("2026-11-25_max_epochs", [parent, one], states)).split()
    assert {*settings, "s4_test_convnext_stages1234", "a" * 10, "b" * 10} <= set(words)


def test_a_reason_is_told_in_few_words(cell: Callable) -> None:
    one = cell(1)
    Run(one.folder).fail("avm=nosuch is unknown " + "x" * 300)
    text = shown(cells_table("s", [one], {one.signature: State.FAILED}))
    assert "avm=nosuch is" in " ".join(text.replace("│", " ").split())
    assert "xxx" not in text


def test_failures_are_one_message_with_a_line_each(cell: Callable, tmp_path: Path) -> None:
    parent = cell(1)
    child, other, late = cell(2, parent), cell(3), cell(4)
    everything = [parent, child, other, late]
    this = Session("s", everything, everything, tmp_path, {"name": "local"})
    assert failures(this, Outcome(done={parent.signature})) is None
    outcome = Outcome(set(), {parent.signature: "why (output.log)"}, {child.signature: parent.name}, {late.signature})
    assert str(failures(this, outcome)).splitlines() == [
        "1 of 4 cells failed:",
        "  ms3 resnet50 stages1: why (output.log)",
        "1 of 4 cells are blocked, since what they start from has failed:",
        "  ms3 resnet50 stages2: waits for ms3 resnet50 stages1",
        "1 of 4 cells were not begun: the disk is full. Free some space.",
        "The same command tries them again, and nothing else.",
    ]


def test_what_failed_is_told_also_where_the_table_cannot_be_written(
    cell: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Session) -> None:
        raise UserError("table.md cannot be written")

    monkeypatch.setattr(Session, "show_results", full)
    one = cell(1)
    this = Session("s", [one], [one], tmp_path, {"name": "local"})
    with pytest.raises(UserError, match=r"(?s)1 of 1 cells failed.*why.*table\.md cannot be written"):
        this.conclude(Outcome(failed={one.signature: "why"}))
    with pytest.raises(UserError, match=r"^table\.md cannot be written"):
        this.conclude(Outcome(done={one.signature}))


def test_a_folder_that_cannot_be_written_is_one_message(cell: Callable, tmp_path: Path) -> None:
    (tmp_path / "studies").write_text("a file is in the way")
    this = Session("s", [cell(1)], [cell(1)], tmp_path, {"name": "local"})
    with pytest.raises(UserError, match=r"studies.* cannot be written: .*paths\.runs_dir=FOLDER"):
        this.run()


@pytest.fixture
def compose(tmp_path: Path) -> Callable:
    """Composes the least configuration that makes a cell: `seed`, and what is given as KEY=VALUE."""

    def make(overrides: list[str]) -> Composed:
        config = OmegaConf.create(
            {
                "name": "n", "seed": 1, "study": None, "dry_run": False, "init": {"checkpoint": None}, "probes": None,
                "paths": {"runs_dir": str(tmp_path), "output_dir": ""}, "data": {"batch_size": 1},
                "trainer": {"devices": 1, "num_nodes": 1, "accelerator": "cpu"}, "launcher": {"name": "local"},
                "logger": {"wandb": {"group": None, "name": None, "tags": []}},
            }
        )  # fmt: skip
        config.merge_with_dotlist(overrides)
        return Composed(config, {})

    return make


def specs(*seeds: int) -> list[CellSpec]:
    return [CellSpec(f"seed={seed}", {"seed": str(seed)}, [f"seed={seed}"]) for seed in seeds]


def test_a_sweep_is_named_after_its_cells(compose: Callable) -> None:
    first = Session.compose(specs(1, 2), compose)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\w+-[0-9a-f]{8}", first.name)
    assert Session.compose(specs(2, 1), compose).name == first.name
    assert Session.compose(specs(1, 2, 3), compose).name != first.name
    assert {cell.config["logger"]["wandb"]["group"] for cell in first.cells} == {first.name}
    assert Session.compose(specs(1, 2), compose, name=first.name).name == first.name  # a later batch


@pytest.mark.parametrize("group", [None, "mine"])
def test_a_named_sweep_and_its_dashboards(compose: Callable, group: str | None) -> None:
    given = ["study=nights", *([f"logger.wandb.group={group}"] if group else [])]
    named = [CellSpec(r.name, r.parameters, [*r.overrides, *given]) for r in specs(1, 2)]
    made = Session.compose(named, compose)
    assert made.name == "nights"
    assert {cell.config["logger"]["wandb"]["group"] for cell in made.cells} == {group or "nights"}


def test_most_devices_decide_how_many_run_in_parallel(compose: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avs_lightning.studies.execution.processes.visible_gpus", lambda: list("0123456789"))
    given = ["launcher.name=parallel", "trainer.accelerator=gpu"]
    two = [CellSpec(f"d={n}", {}, [*given, f"trainer.devices={n}"]) for n in (1, 5)]
    made = Session.compose(two, compose)
    assert made.executor().slots == 2
    assert session.LAUNCHERS == ("local", "parallel", "slurm")
