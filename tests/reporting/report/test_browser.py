"""The page in headless Chromium, opened from disk without network."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from avs_lightning.reporting.report import Report, ReportRun, write_report

StudyWriter = Callable[..., Report]
Open = Callable[..., "Opened"]
PIXELS = """async image => {
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const at = data.findIndex((value, index) => index % 4 === 3 && value > 0);
    return Array.from(data.slice(at - 3, at));
}"""


@dataclass
class Opened:
    """A page, what it complained of, and what it asked the network for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def wait(self, condition: str) -> None:
        """Wait until an expression is true (the page's policy forbids playwright's own way, an eval)."""
        end = time.monotonic() + 20
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    def column(self, title: str) -> list[str]:
        """The texts of a column of the cells' table, from the top, without hidden rows."""
        script = """title => {
            const table = document.getElementById("runs"), heads = [...table.tHead.rows[1].cells];
            const column = heads.findIndex(head => head.innerText.trim() === title);
            const rows = [...table.tBodies[0].rows].filter(row => row.offsetParent);
            return rows.map(row => row.cells[column].innerText.trim());
        }"""
        texts: list[str] = self.page.evaluate(script, title)
        return texts

    def traces(self, chart: str) -> list[str]:
        """The names of the traces that a chart draws."""
        script = "name => document.getElementById(`chart-${name}`).data.map(trace => trace.name).filter(Boolean)"
        names: list[str] = self.page.evaluate(script, chart)
        return names


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """`opened(report, width=1280, scheme="light")` writes a report and opens it; nothing may have gone wrong."""
    pages: list[Opened] = []

    def open_page(report: Report, width: int = 1280, scheme: str = "light") -> Opened:
        path = write_report(report, tmp_path / "report.html")
        context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme)
        one = Opened(context.new_page())
        one.page.on("console", lambda message: one.complaints.append(f"{message.type}: {message.text}"))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("dialog", lambda dialog: (one.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        one.page.on("request", lambda request: one.requests.append(request.url))
        one.page.goto(path.as_uri())
        pages.append(one)
        return one

    yield open_page
    for one in pages:
        one.page.context.close()
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_click_on_a_heading_sorts_by_number_both_ways(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=10, clips=0))
    heading = page.page.locator("#runs thead tr:last-child th").filter(has_text="train min")
    assert heading.get_attribute("aria-sort") == "none"
    heading.get_by_role("button").click()
    up = [f"{minutes}.0" for minutes in range(1, 11)]
    assert page.column("train min") == [*up[::-1], "–"]  # as text, 9.0 would come before 10.0
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").focus()
    page.page.keyboard.press("Enter")
    assert page.column("train min") == [*up, "–"]  # what is missing stays at the end
    assert heading.get_attribute("aria-sort") == "ascending"
    page.page.get_by_role("button", name="encoder", exact=True).click()
    assert page.column("encoder") == ["pvt"] * 6 + ["resnet"] * 5
    assert heading.get_attribute("aria-sort") == "none"


def test_fractions_and_gains_sort_as_numbers(study: StudyWriter, opened: Open) -> None:
    report = study(cells=4, clips=0)
    for run, muted in zip(report.runs, (0.2, 0.22, 0.295, 0.3925)):
        metrics = json.loads((run.folder / "metrics.json").read_text())
        metrics["scores"]["muted"]["miou_frame"] = muted
        (run.folder / "metrics.json").write_text(json.dumps(metrics))
    page = opened(report)
    heading = page.page.locator("#runs thead tr:last-child th").filter(has_text="drop").first
    heading.get_by_role("button").click()
    assert page.column("drop") == ["0.8", "0.5", "-2.0", "-10.0", "–"]


def test_filters_hide_rows_and_traces(study: StudyWriter, opened: Open) -> None:
    report = study(cells=4, clips=1)
    page = opened(report)
    names = [run.name for run in report.runs]
    for chart in ("validation", "loss", "cost", "sounds", "seconds", "categories"):
        assert page.traces(chart) == names[:4]
    page.page.locator("[data-axis=encoder]").select_option("=pvt")
    assert page.column("cell") == [names[1], names[3], names[4]]
    for chart in ("validation", "loss", "cost", "sounds", "seconds", "categories"):
        assert page.traces(chart) == [names[1], names[3]]
    assert page.page.locator("#config tbody tr:visible").count() == 3
    page.page.get_by_role("searchbox").fill("NO 3 pvt")
    assert page.column("cell") == [names[3]]
    assert page.page.locator("#count").inner_text() == "1 of 5 cells"
    page.page.get_by_role("searchbox").fill("nothing like it")
    assert page.column("cell") == []
    assert page.traces("loss") == []
    page.page.get_by_role("button", name="Reset", exact=True).click()
    page.wait("document.getElementById('count').value === '5 of 5 cells'")
    assert page.traces("loss") == names[:4]


def test_charts_show_names_costs_and_what_is_pointed_out(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=3, clips=0))
    look = "name => document.getElementById('chart-cost').data.filter(t => t.name).map(t => [t.x[0], t.opacity])"
    assert page.page.evaluate(look) == [[1, 1], [2, 1], [3, 1]]
    page.page.locator("#axis-cost").select_option("parameters, millions")
    assert page.page.evaluate(look) == [[9, 1], [10, 1], [11, 1]]
    page.page.locator(".dot").nth(1).click()
    assert page.page.evaluate(look) == [[9, 0.15], [10, 1], [11, 0.15]]
    page.page.locator("#chart-cost").scroll_into_view_if_needed()
    page.page.locator("#chart-cost .points path").last.hover(force=True)
    page.wait("document.querySelector('#chart-cost .hovertext')?.textContent.includes('no 2')")


def test_colours_follow_an_axis(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=4, clips=0))
    look = "document.getElementById('chart-loss').data.map(trace => trace.line.color)"
    assert len(set(page.page.evaluate(look))) == 4
    page.page.locator("[name=colour]").select_option("=encoder")
    first, second, *rest = page.page.evaluate(look)
    assert first != second
    assert rest == [first, second]
    assert page.page.locator("#key li").all_inner_texts() == ["resnet", "pvt"]


def test_columns_can_be_hidden(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=1, clips=0))
    assert page.page.locator("#runs td.probes:visible").count() == 20
    page.page.get_by_role("checkbox", name="probes").uncheck(force=True)
    assert page.page.locator("#runs td.probes:visible").count() == 0
    assert page.page.locator("#runs td.scores:visible").count() == 6


def test_sounds_can_be_played(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=2, clips=1))
    audio = page.page.locator("audio")
    assert audio.count() == 3
    for one in audio.all():
        one.evaluate("audio => audio.readyState || new Promise(done => { audio.onloadedmetadata = done; })")
        assert 4.9 < one.evaluate("audio => audio.duration") < 5.3
    page.page.locator(".clip").first.locator(".frame").nth(3).click()
    page.wait("document.querySelector('audio').currentTime > 3.05")
    assert page.page.locator(".frame.playing").inner_text().startswith("4 s")


def test_the_mask_is_switched_and_the_cell_too(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=2, clips=1))
    drawn = {}
    for mask in ("prediction", "ground truth", "muted prediction", "errors"):
        page.page.get_by_role("radio", name=mask, exact=True).check(force=True)
        assert page.page.locator(".picture img.mask").count() == 15
        drawn[mask] = tuple(page.page.locator(".picture img.mask").first.evaluate(PIXELS))
    assert len(set(drawn.values())) >= 3
    assert drawn["ground truth"][1] > 200 > drawn["ground truth"][0]  # green
    page.page.get_by_role("radio", name="none").check(force=True)
    assert page.page.locator(".picture img.mask").count() == 0
    assert page.page.locator(".picture img").count() == 15
    before = page.page.locator("#gallery").inner_text()
    page.page.locator("[name=cell]").select_option(index=1)
    assert page.page.locator("#gallery").inner_text() != before
    assert page.page.locator(".picture img.mask").count() == 0  # the choice stays


@pytest.mark.parametrize("width", [1100, 420])
def test_the_page_is_never_wider_than_the_window(study: StudyWriter, opened: Open, width: int) -> None:
    page = opened(study(cells=4, clips=1), width=width)
    assert page.page.evaluate("document.documentElement.scrollWidth") == width


def test_dark_and_light_are_two_looks_also_of_the_charts(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=1, clips=0), scheme="dark")
    look = "[getComputedStyle(document.body).backgroundColor, document.getElementById('chart-loss').layout.font.color]"
    dark = page.page.evaluate(look)
    page.page.emulate_media(color_scheme="light")
    page.wait("document.getElementById('chart-loss').layout.font.color === '#1c2733'")
    assert page.page.evaluate(look)[0] != dark[0]


def test_hostile_texts_do_nothing(hostile_study: Report, opened: Open) -> None:
    page = opened(hostile_study)
    page.wait("document.querySelectorAll('.clip').length === 3")
    page.page.locator("[name=colour]").select_option(index=1)
    assert page.column("cell") == [hostile_study.title] * 3
    assert page.page.locator("img:not(.picture img)").count() == 0
    assert page.page.locator("a[href^=javascript]").count() == 0


def test_nothing_but_names_opens_too(opened: Open, run_folder: Callable[..., Path], tmp_path: Path) -> None:
    nothing = ReportRun("nothing", {}, 0, "new", tmp_path / "nowhere")
    assert opened(Report("Empty", "", {}, [nothing])).column("state") == ["new"]
    single = replace(nothing, name="one", folder=run_folder("one", clips=1), state="done")
    page = opened(Report("One", "", {}, [single], protocol="frame"))
    assert page.page.locator("audio").count() == 3
    assert page.traces("validation") == ["one"]
    assert opened(Report("None", "", {}, [])).page.locator("h1").inner_text() == "None"
