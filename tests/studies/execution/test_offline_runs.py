"""What waits for `wandb sync` after a study."""

from pathlib import Path
from typing import Any

from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.execution.offline_runs import link_offline_runs


def cell(folder: Path, run_id: str, wandb: dict[str, Any] | None) -> Cell:
    folder.mkdir(parents=True)
    (folder / "wandb_id.txt").write_text(run_id)
    return Cell(folder.name, {}, 1, {"logger": {"wandb": wandb}}, folder.name, folder)


def logged(parent: Path, name: str, synced: bool = False) -> Path:
    run = parent / "wandb" / name
    run.mkdir(parents=True)
    (run / f"{name}.wandb").touch()
    if synced:
        (run / f"{name}.wandb.synced").touch()
    return run


def test_what_is_not_uploaded_yet_is_linked(tmp_path: Path) -> None:
    study, cells, elsewhere = tmp_path / "studies" / "mine", tmp_path / "cells", tmp_path / "scratch"
    study.mkdir(parents=True)
    made = [
        cell(cells / "a", "aa", {"dir": None}),
        cell(cells / "b", "bb", {"dir": str(elsewhere)}),
        cell(cells / "c", "cc", None),
    ]
    expected = {
        logged(cells / "a", "offline-run-1-aa"),
        logged(cells / "a", "offline-run-3-aa"),
        logged(elsewhere, "offline-run-2-bb"),
    }
    for parent, name in (
        (cells / "a", "run-4-aa"),
        (elsewhere, "offline-run-5-other"),
        (cells / "c", "offline-run-6-cc"),
    ):
        logged(parent, name)
    logged(cells / "a", "offline-run-0-aa", synced=True)
    assert link_offline_runs(study, made) == study / "wandb"
    assert {link.resolve() for link in (study / "wandb").iterdir()} == {run.resolve() for run in expected}
    for run in expected:
        (run / f"{run.name}.wandb.synced").touch()
    assert link_offline_runs(study, made) is None
    assert not (study / "wandb").exists()
    assert all(run.exists() for run in expected)


def test_cells_that_have_logged_nothing_leave_no_folder(tmp_path: Path) -> None:
    unbegun = cell(tmp_path / "a", "aa", {"dir": None})
    (unbegun.folder / "wandb_id.txt").unlink()
    assert link_offline_runs(tmp_path, [unbegun]) is None
