"""What a study's folder says of it: status, table, report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan
from avs_lightning.studies.reports import report_on
from avs_lightning.studies.spec.study import narrowed, read_study
from avs_lightning.studies.status import status_of, study_table, written

METRICS = {"data": "ms3", "fingerprint": "f" * 12, "scores": {"true": {"miou_reference": 0.4321}}}


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Path]:
    """`planned(name, data, choices, **states)` plans a study of the package, `state=number` of its cells each."""

    def plan(name: str = "table_a1", data: str = "synthetic", choices: Any = None, **states: int) -> Path:
        study = narrowed(read_study(name, data), choices or {})
        cells, left = [], [state for state, count in states.items() for _ in range(count)]
        for number, spec in enumerate(study.cells()):
            cell = Cell(
                spec.name, spec.parameters, number, {}, f"{number}", tmp_path / "runs" / "cells" / f"c-{number}"
            )
            leave(cell.folder, left.pop(0) if left else "new", "synthetic" in data)
            cells.append(cell)
        folder = tmp_path / "runs" / "studies" / study.folder_name
        Plan(study.folder_name, study.title, "", "synthetic" in data, ["a=b"], cells, study.table).save(folder)
        return folder

    return plan


def leave(folder: Path, state: str, synthetic: bool | None = None) -> None:
    if state == "new":
        return
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    Run(folder).last.touch()
    metrics = json.dumps({**METRICS, "synthetic": synthetic})
    texts = {
        "done": ("metrics.json", metrics),
        "cut": ("metrics.json", metrics[:30]),
        "failed": ("failed.json", '{"why": "out of memory"}'),
        "resumed": ("progress.json", '{"fraction": 0.5}'),
    }
    name, text = texts[state]
    (folder / name).write_text(text)


def shown(what: Any) -> str:
    console = Console(width=220)
    with console.capture() as capture:
        for part in what if isinstance(what, tuple) else [what]:
            console.print("\n".join(part) if isinstance(part, list) else part, soft_wrap=isinstance(part, list))
    return capture.get()


def test_the_status_of_every_cell(planned: Callable[..., Path]) -> None:
    folder = planned(done=2, cut=1, failed=1, resumed=1)
    text = shown(status_of(folder))
    assert "table_a1-synthetic: 28 cells, 23 new, 2 done, 2 resumed, 1 failed" in text
    assert text.count("43.21") == 2
    assert "failed, s4 resnet50 stage4: out of memory" in text
    assert all(line in text.splitlines() for line in (f"  c-{number}" for number in range(28)))
    assert "resumed, metrics.json is damaged: the next run tests it again" in text
    assert "Protocol reference@4" in text
    assert "with a=b" in text


def test_the_status_has_the_score_of_the_studys_table(planned: Callable[..., Path]) -> None:
    folder = planned("scope", "synthetic", done=1)
    layout = json.loads((folder / "plan.json").read_text())["table"]
    text = shown(status_of(folder))
    assert f"Protocol {layout['protocol']}" in text


def test_a_running_cell_says_how_far_it_is(planned: Callable[..., Path]) -> None:
    folder = planned(resumed=1)
    cell = folder.parents[1] / "cells" / "c-0"
    (cell / "progress.json").write_text('{"fraction": 0.25, "phase": "train", "epoch": 1, "epochs": 4}')
    with Run(cell).locked():
        assert "running, 25% (train)" in shown(status_of(folder))


def test_cells_that_were_removed_by_hand_are_new(planned: Callable[..., Path]) -> None:
    folder = planned(done=28)
    (folder.parents[1] / "cells").rename(folder.parents[1] / "aside")
    assert "28 cells, 28 new" in shown(status_of(folder))
    assert study_table(folder).to_markdown().count("– not run") == 28
    assert report_on([folder], folder / "report.html").is_file()


def test_a_table_names_what_is_missing_and_why(planned: Callable[..., Path]) -> None:
    table = study_table(planned(done=3, cut=1, failed=1)).to_markdown()
    assert table.count("43.21") == 3
    assert "25 of 28 cells are missing: 1 cut off, 1 failed, 23 not run." in table


@pytest.mark.parametrize("form", ["to_markdown", "to_csv", "to_latex", "to_html"])
def test_only_real_data_stands_beside_the_papers(planned: Callable[..., Path], form: str) -> None:
    for data in ("real", "synthetic"):
        text = getattr(study_table(planned(data=data, done=28)), form)()
        assert ("72.79" in text) == (data == "real")
        assert "43.21" in text


@pytest.mark.parametrize(
    "name, chosen",
    [
        ("table_a1", {"setting": ["ms3"], "stages": ["stage1"]}),
        ("table_a2", {"init": ["scratch"]}),
        ("seeds", {"tpavi": ["with"]}),
        ("scope", {"fusion": ["frame"], "sounds": ["switching"]}),
    ],
)
def test_a_study_of_which_a_part_was_run(planned: Callable[..., Path], name: str, chosen: dict[str, list[str]]) -> None:
    folder = planned(name, "synthetic", chosen, done=1)
    assert shown(study_table(folder).to_rich())
    assert study_table(folder).to_csv().count("\n") == 1 + len({str(c.parameters) for c in Plan.load(folder).cells})
    assert report_on([folder], folder / "report.html").is_file()


def test_a_sweep_has_a_row_a_cell(tmp_path: Path) -> None:
    cells = [Cell(text, parameters, 0, {}, text, Path(text)) for text, parameters in (
        ("a", {"fusion": "none"}), ("b", {"fusion": "stage4", "encoder": "resnet18"}))]  # fmt: skip
    for kept in (cells, [Cell("", {}, 0, {}, "only", Path("only"))]):
        folder = tmp_path / "runs" / "studies" / f"sweep{len(kept)}"
        Plan(folder.name, "Sweep", "", False, [], kept).save(folder)
        assert study_table(folder).to_csv().count("not run") == len(kept)
        assert "new" in shown(status_of(folder))
        assert report_on([folder], folder / "report.html").is_file()


def test_a_damaged_plan(planned: Callable[..., Path]) -> None:
    folder = planned()
    (folder / "plan.json").write_text('{"study": ')
    for ask in (status_of, study_table, lambda folder: report_on([folder], folder / "report.html")):
        with pytest.raises(UserError, match=r"plan\.json is damaged"):
            ask(folder)


def test_a_table_is_written_whole_or_says_why_not(planned: Callable[..., Path], tmp_path: Path) -> None:
    table = study_table(planned(done=28))
    written(tmp_path / "deep" / "table.tex", table, "latex")
    assert (tmp_path / "deep" / "table.tex").read_text() == table.to_latex().rstrip("\n") + "\n"
    for place in (tmp_path / "deep", tmp_path / "deep" / "table.tex" / "below.md"):
        with pytest.raises(UserError, match="cannot be written"):
            written(place, table, "md")
