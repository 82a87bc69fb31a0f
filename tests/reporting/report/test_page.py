"""The file: whole, self-contained, and harmless whatever the folders hold."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avs_lightning.errors import UserError
from avs_lightning.reporting.report import Report, ReportRun, write_report

StudyWriter = Callable[..., Report]


def page_of(report: Report, tmp_path: Path) -> str:
    return write_report(report, tmp_path / "out" / "report.html").read_text()


def own_part(html: str) -> str:
    """The page without the chart library's text."""
    return re.sub(r"<script>/\*\*\n\* plotly\.js.*?</script>", "", html, flags=re.DOTALL)


def test_everything_of_a_study_is_in_one_file(study: StudyWriter, tmp_path: Path) -> None:
    report = replace(study(), tables=["<table><tr><td>the paper's layout</td></tr></table>"], notes=["a > b: held"])
    html = page_of(report, tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    for words in (
        "A study", "Does it <em>hear</em>?", "made up", "<td>the paper's layout</td>",
        "a &gt; b: held", "its parent failed", "cell pvt 34 no 3", "encoder.name", "fusion.stages",
        "exact mean over frames",
    ):  # fmt: skip
        assert words in html
    assert html.count("plotly.js v") == 1
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", own_part(html))


def test_the_same_report_is_the_same_file(study: StudyWriter, tmp_path: Path) -> None:
    report = study(cells=2)
    assert page_of(report, tmp_path) == page_of(report, tmp_path)


def test_a_run_by_itself_has_its_configuration(run_folder: Callable[..., Path], tmp_path: Path) -> None:
    run = ReportRun("one run", {}, 3, "done", run_folder("one"))
    html = own_part(page_of(Report("One", "", {}, [run]), tmp_path))
    assert "fusion.stages" in html
    assert 'type="search"' not in html
    assert "Differences" not in html


def test_empty_folders_give_a_page_that_says_so(tmp_path: Path) -> None:
    runs = [ReportRun(f"run {i}", {"a": str(i)}, i, "done", tmp_path / f"nowhere{i}") for i in range(2)]
    html = own_part(page_of(Report("Empty", "", {}, runs), tmp_path))
    assert "No run has clips here" in html
    assert "Files that finished runs do not have" in html
    assert "<li>metrics.json: all runs" in html
    assert page_of(Report("No runs", "", {}, []), tmp_path)


@pytest.mark.parametrize(
    "name", ["metrics.json", "metrics.csv", "config.yaml", "environment.json", "clips.csv", "clips/index.json"]
)
@pytest.mark.parametrize("content", [b"", b"\xff\x00\xfe", b"[[[", b'{"scores": 3', b"null", b'"x"'])
def test_a_damaged_file_is_named(study: StudyWriter, tmp_path: Path, name: str, content: bytes) -> None:
    report = study(cells=2, clips=1)
    (report.runs[0].folder / name).write_bytes(content)
    html = own_part(page_of(report, tmp_path))
    assert f"<b>{report.runs[0].name}, seed 0</b>: {name}: " in html
    assert report.runs[1].name in html


def test_texts_from_everywhere_are_only_text(hostile_study: Report, tmp_path: Path) -> None:
    html = own_part(page_of(hostile_study, tmp_path))
    assert "<script>alert" not in html
    assert "<img" not in html
    assert html.count("</script>") == 2  # the data's and the page's own
    assert "&lt;script&gt;alert(1)" in html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])  # type: ignore[index]
    assert data["cells"][0]["name"] == hostile_study.title


def test_a_place_that_cannot_be_written_is_a_users_error(study: StudyWriter, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"report\.html cannot be written: .*give the command again"):
        write_report(study(cells=1, clips=1), tmp_path / "file" / "report.html")


def test_a_full_disk_leaves_the_former_report(
    study: StudyWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, path = study(cells=1, clips=1), tmp_path / "report.html"
    path.write_text("the former")

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_report(report, path)
    assert path.read_bytes() == b"the former"
    assert not (tmp_path / "report.html.part").exists()
