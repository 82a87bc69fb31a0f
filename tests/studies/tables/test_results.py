"""Data frames and facts from what cells have left."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from avs_lightning.studies.cells.plan import Plan, PlannedCell
from avs_lightning.studies.tables.results import facts_of, results_of, states_in

SCORES = {"true": {"miou_reference": 0.5, "fscore_reference": 0.6}, "muted": {"miou_reference": 0.1}}
ENVIRONMENT = {"started": "2026-11-24T10:00:00", "cores": 2, "memory_gib": 23.6, "gpus": []}
CODE = {"version": "0.1.0", "results": "aaa", "commit": "0123456789", "dirty": True}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """`run(name, data={}, environment={}, **metrics)` leaves a finished cell's files."""

    def leave(name: str, data: Any = None, environment: Any = None, **metrics: Any) -> Path:
        folder = tmp_path / "cells" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump({"data": {"name": "ms3", "root": name, **(data or {})}}))
        (folder / "environment.json").write_text(json.dumps(ENVIRONMENT | (environment or {})))
        given = {"data": "ms3", "fingerprint": "f" * 12, "code": CODE, "scores": SCORES, "cost": {"device": "cpu"}}
        (folder / "metrics.json").write_text(json.dumps(given | metrics))
        return folder

    return leave


def plan(*cells: str, **parents: str) -> Plan:
    """A plan of cells by their names, which are their folders and signatures too; `child="parent"`."""
    planned = [
        PlannedCell(name, {"axis": name}, 0, name, name, parents.get(name), name not in parents.values())
        for name in (*cells, *parents)
    ]
    return Plan("study", "Title", "", False, [], planned)


def test_a_row_a_cell_with_the_scores_of_every_sound(run: Callable[..., Path], tmp_path: Path) -> None:
    run("a")
    rows = results_of(plan("a", "b"), tmp_path).set_index("axis")
    assert list(rows["state"]) == ["done", "new"]
    assert rows.loc["a", "miou_reference"] == 0.5
    assert rows.loc["a", "muted/miou_reference"] == 0.1
    assert rows.loc["b"].isna()[["miou_reference", "muted/miou_reference"]].all()


def test_what_waits_for_a_failed_parent_is_blocked(run: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "cells" / "parent"
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text('{"why": "out of memory"}')
    made = plan("parent", child="parent", sibling="parent")
    run("sibling")
    assert states_in(made, tmp_path) == {"parent": "failed", "child": "blocked", "sibling": "done"}
    assert list(results_of(made, tmp_path)["name"]) == ["child", "sibling"]  # the parent is not in the table


@pytest.mark.parametrize("text", ['{"scores": {"true"', "", '{"scores": null}', "{}"])
def test_results_that_are_cut_or_lack_scores_have_none(run: Callable[..., Path], tmp_path: Path, text: str) -> None:
    (run("a") / "metrics.json").write_text(text)
    run("b")
    rows = results_of(plan("a", "b"), tmp_path).set_index("axis")
    assert rows["miou_reference"].isna().to_dict() == {"a": True, "b": False}
    assert facts_of(plan("a", "b"), tmp_path)["fingerprint"].count("f" * 12) == 1


def test_facts_name_data_code_machine_date_and_seeds(run: Callable[..., Path], tmp_path: Path) -> None:
    run("a")
    assert facts_of(plan("a", "b"), tmp_path) == {
        "data": "ms3", "fingerprint": f"ms3 {'f' * 12}", "code": "0.1.0 (aaa, commit 0123456 with changes)",
        "machine": "2 CPU cores, 24 GiB", "date": "2026-11-24", "seeds": "0",
    }  # fmt: skip


def test_facts_that_differ_are_all_told(run: Callable[..., Path], tmp_path: Path) -> None:
    run("a")
    gpus = {"gpus": ["H100", "H100"], "started": "2026-11-25"}
    run("b", environment=gpus, fingerprint="e" * 12, code={**CODE, "results": "bbb"}, cost={"device": "H100"})
    facts = facts_of(plan("a", "b"), tmp_path)
    assert facts["fingerprint"] == f"ms3 {'e' * 12}; ms3 {'f' * 12}"
    assert facts["code"].count(";") == 1
    assert facts["machine"] == "2 CPU cores, 24 GiB; 2 × H100"
    assert facts["date"] == "2026-11-24; 2026-11-25"


def test_data_that_differ_by_intent_are_told_apart_by_what_was_asked(run: Callable[..., Path], tmp_path: Path) -> None:
    run("holding", {"synthetic": {"switching": False}, "workers": 1, "seed": 3}, fingerprint="e" * 12)
    run("switching", {"synthetic": {"switching": True}, "workers": 2, "seed": 4})
    run("s4", {"name": "s4"})
    (tmp_path / "cells" / "s4" / "metrics.json").write_text('{"data": "s4", "fingerprint": "ddd"}')
    assert facts_of(plan("holding", "switching", "s4"), tmp_path)["fingerprint"].split("; ") == [
        f"ms3 (synthetic.switching=False) {'e' * 12}", f"ms3 (synthetic.switching=True) {'f' * 12}", "s4 ddd",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", ["environment.json", "config.yaml"])
def test_files_that_are_gone_or_damaged_leave_what_is_known(
    run: Callable[..., Path], tmp_path: Path, missing: str
) -> None:
    file = run("a") / missing
    for content in ("{", None):
        file.write_text(content) if content else file.unlink()
        facts = facts_of(plan("a"), tmp_path)
        assert facts["fingerprint"] == f"ms3 {'f' * 12}"
        assert facts["code"].startswith("0.1.0 (aaa")
