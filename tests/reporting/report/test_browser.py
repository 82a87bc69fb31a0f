"""The page in headless Chromium, opened from disk without network."""

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from PIL import Image

from avs_lightning.reporting.report import Report, ReportRun, write_report

StudyWriter = Callable[..., Report]
RunWriter = Callable[..., Path]
Open = Callable[..., "Opened"]
CHARTS = ("validation", "loss", "cost", "sounds", "seconds", "categories")
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
        """The texts of a column of the cells' table, from the top."""
        script = """title => {
            const table = document.getElementById("cells-table"), heads = [...table.tHead.rows[1].cells];
            const column = heads.findIndex(head => head.innerText.trim() === title);
            const rows = [...table.querySelectorAll("tbody tr:not(.part)")];
            return rows.map(row => row.cells[column].innerText.trim());
        }"""
        texts: list[str] = self.page.evaluate(script, title)
        return texts

    def traces(self, chart: str) -> list[str]:
        """The names of the traces that a chart draws."""
        script = "name => document.getElementById(`chart-${name}`).data.map(trace => trace.name).filter(Boolean)"
        names: list[str] = self.page.evaluate(script, chart)
        return names

    def control(self, name: str) -> Any:
        """The control of a part of the page's state."""
        return self.page.locator(f'[data-state="{name}"]')

    def options(self, name: str) -> list[str]:
        """What can be chosen by a control."""
        texts: list[str] = self.control(name).locator("option").all_inner_texts()
        return texts


def edit_scores(folder: Path, sound: str, **values: float) -> None:
    """Change scores of a finished run with a sound."""
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["scores"][sound] |= values
    (folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """`opened(report, width=1280, scheme="light", address="")` writes and opens it; nothing may have gone wrong."""
    pages: list[Opened] = []

    def open_page(report: Report, width: int = 1280, scheme: str = "light", address: str = "") -> Opened:
        path = write_report(report, tmp_path / "report.html")
        context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme)
        one = Opened(context.new_page())
        one.page.on("console", lambda message: one.complaints.append(f"{message.type}: {message.text}"))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("dialog", lambda dialog: (one.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        one.page.on("request", lambda request: one.requests.append(request.url))
        one.page.goto(path.as_uri() + address)
        pages.append(one)
        return one

    yield open_page
    for one in pages:
        one.page.context.close()
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_click_on_a_heading_sorts_by_number_both_ways(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=10, clips=0))
    heading = page.page.locator("#cells-table thead tr:last-child th").filter(has_text="train min")
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
        edit_scores(run.folder, "muted", miou_frame=muted)
    page = opened(report)
    heading = page.page.locator("#cells-table thead tr:last-child th").filter(has_text="change").first
    heading.get_by_role("button").click()
    assert page.column("change") == ["+10.0", "+2.0", "−0.5", "−0.8", "–"]


def test_filters_hide_rows_traces_and_clips(study: StudyWriter, opened: Open) -> None:
    report = study(cells=4, clips=1)
    page = opened(report)
    names = [run.name for run in report.runs]
    for chart in CHARTS:
        assert page.traces(chart) == names[:4]
    assert page.options("run") == names[:4]
    page.control("by.encoder").select_option("pvt")
    assert page.column("cell") == [names[1], names[3], f"{names[4]} blocked"]
    for chart in CHARTS:
        assert page.traces(chart) == [names[1], names[3]]
    assert page.options("run") == [names[1], names[3]]
    assert page.page.locator("#config tbody tr:visible").count() == 3
    assert page.page.locator("#run-list details").count() == 3
    page.page.get_by_role("radio", name="a clip in all runs").check(force=True)
    assert page.page.locator(".compared .link").all_inner_texts() == [names[1], names[3]]
    page.page.get_by_role("searchbox").fill("NO 34 pvt")
    assert page.column("cell") == [names[3]]
    assert page.page.locator("#count").inner_text() == "1 of 5 cells"
    assert page.page.locator(".compared .link").all_inner_texts() == [names[3]]


def test_an_empty_filter_says_so_instead_of_empty_charts(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=2, clips=1))
    page.page.get_by_role("searchbox").fill("nothing like it")
    assert page.column("cell") == []
    notices = page.page.locator(".empty:visible")
    assert notices.count() == 4  # cells, charts, clips, runs
    assert "nothing like it" in notices.first.inner_text()
    assert page.page.locator(".chart:visible, .clip:visible, #clip-choices:visible").count() == 0
    notices.first.get_by_role("button", name="Show all").click()
    assert page.page.locator("#count").inner_text() == "3 of 3 cells"
    assert page.page.locator(".empty:visible").count() == 0
    assert page.page.get_by_role("searchbox").input_value() == ""


def test_what_is_chosen_stands_in_the_address_and_a_link_shows_it(study: StudyWriter, opened: Open) -> None:
    report = study(cells=4, clips=1)
    page = opened(report)
    page.page.get_by_role("searchbox").fill("pvt & more")
    page.page.get_by_role("searchbox").fill("pvt")
    page.control("score").select_option("fscore")
    page.control("protocol").select_option("dataset")
    page.page.get_by_role("button", name="F:").click()
    page.page.get_by_role("radio", name="a clip in all runs").check(force=True)
    page.control("clip").select_option(index=1)
    page.page.get_by_role("radio", name="errors", exact=True).check(force=True)
    page.page.get_by_role("checkbox", name="cost").uncheck(force=True)
    page.page.locator(".dot").first.click()
    address = page.page.evaluate("location.hash")
    again = opened(report, address=address)
    for look in ("#cells-table", "#tiles", "#gallery", "#clip-choices", "#key"):
        assert again.page.locator(look).inner_html() == page.page.locator(look).inner_html()
    assert again.column("cell") == [report.runs[3].name, report.runs[1].name, f"{report.runs[4].name} blocked"]
    assert again.page.locator(".dot[aria-pressed=true]").count() == 1
    assert again.page.get_by_role("searchbox").input_value() == "pvt"
    again.page.evaluate("location.hash = ''")
    again.wait("document.getElementById('count').value === '5 of 5 cells'")


def test_a_section_can_be_linked_to(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=2, clips=1))
    page.page.get_by_role("link", name="Clips").click()
    where = "document.getElementById('clips').getBoundingClientRect().top"
    assert page.page.evaluate(where) < 200
    again = opened(study(cells=2, clips=1, name="other"), address=page.page.evaluate("location.hash"))
    again.wait(f"{where} < 200")


def test_seeds_are_one_row_one_curve_and_never_the_best_alone(run_folder: RunWriter, opened: Open) -> None:
    runs = [
        ReportRun(
            f"{name} seed {seed}", {"decoder": name}, seed, "done", run_folder(f"{name}{seed}", miou=miou, seed=seed)
        )
        for name, mious in (("unet", (0.0, 0.3)), ("fpn", (0.2, 0.22)))
        for seed, miou in enumerate(mious)
    ]
    page = opened(Report("Seeds", "", {}, runs, protocol="frame"))
    assert page.column("cell") == ["unet", "fpn"]
    assert page.column("mIoU %") == ["15.0 ± 21.2", "21.0 ± 1.4"]
    assert page.page.locator("#cells-table td.scores b").first.inner_text() == "21.0 ± 1.4"
    best = page.page.locator("#tiles div").filter(has_text="best mIoU").inner_text()
    assert "21.0 ± 1.4" in best
    assert "fpn" in best
    assert "30" not in best
    assert page.options("run")[0] == "unet, seed 0"
    assert page.control("run").input_value() == "fpn, seed 0"  # the best cell's first, not the worst's
    for chart in CHARTS:
        assert page.traces(chart) == ["unet", "fpn"]
    look = "document.getElementById('chart-validation').data.map(trace => [trace.fill || '', trace.y.at(-1)])"
    (band, _), (line, last), *_ = page.page.evaluate(look)
    assert (band, line, round(last, 6)) == ("toself", "", 15)
    look = "document.getElementById('chart-cost').data.filter(t => t.name).map(t => t.error_y.array[0].toFixed(1))"
    assert page.page.evaluate(look) == ["21.2", "1.4"]
    page.control("by.seed").select_option("1")
    assert page.column("mIoU %") == ["30.0", "22.0"]


def test_the_best_is_in_bold_part_by_part_and_ties_too(run_folder: RunWriter, opened: Open) -> None:
    runs = []
    for number, (data, miou) in enumerate([("ms3", 0.3), ("ms3", 0.3), ("ms3", 0.2), ("s4", 0.6), ("s4", 0.7)]):
        folder = run_folder(f"{number}", miou=miou)
        metrics = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(metrics | {"data": data}))
        runs.append(ReportRun(f"cell {number}", {"n": str(number)}, 0, "done", folder, parent=number == 3))
    page = opened(Report("Bold", "", {}, runs, protocol="frame"))
    parts = page.page.locator("#cells-table .part").all_inner_texts()
    assert [text.strip() for text in parts] == ["ms3", "s4", "s4, others start from these"]
    bold = "[...document.querySelectorAll('#cells-table tr:has(b)')].map(row => row.cells[0].innerText)"
    assert page.page.evaluate(bold) == ["cell 0", "cell 1"]
    assert page.traces("cost") == ["cell 0", "cell 1", "cell 2", "cell 4"]  # nothing is compared with a mere start
    page.control("by.data").select_option("s4, others start from these")
    assert page.traces("cost") == ["cell 3"]


def test_score_and_protocol_can_be_chosen_for_table_tiles_and_charts(run_folder: RunWriter, opened: Open) -> None:
    folder = run_folder("one")
    edit_scores(folder, "true", fscore_dataset=0.57)
    edit_scores(folder, "muted", fscore_dataset=0.569)
    page = opened(Report("One", "", {}, [ReportRun("one", {}, 0, "done", folder)], protocol="frame"))
    assert "50.0" in page.page.locator("#tiles").inner_text()
    page.control("score").select_option("fscore")
    page.control("protocol").select_option("dataset")
    assert ".570" in page.page.locator("#tiles").inner_text()
    assert page.column("silence") == [".569"]
    look = "document.getElementById('chart-sounds').data[0].y[0]"
    assert page.page.evaluate(look) == 0.57
    assert "protocol dataset" in page.page.locator("#figure-validation .about").inner_text()
    assert "all pixels at once" in page.page.locator("#cells").inner_text()


@pytest.mark.parametrize(
    "muted, swapped, words", [(0.2, 0.1, "listens"), (0.5, 0.5, "does not listen"), (0.2, 0.5, "in part")]
)
def test_whether_it_listens_is_said_in_words(
    run_folder: RunWriter, opened: Open, muted: float, swapped: float, words: str
) -> None:
    folder = run_folder("one", miou=0.5)
    for sound, value in (("muted", muted), ("noise", muted), ("swapped", swapped)):
        edit_scores(folder, sound, miou_frame=value)
    page = opened(Report("One", "", {}, [ReportRun("one", {}, 0, "done", folder)], protocol="frame"))
    assert words in page.page.locator("#tiles div").filter(has_text="silence").inner_text()


def test_charts_show_names_costs_and_what_is_pointed_out(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=3, clips=0))
    look = "document.getElementById('chart-cost').data.filter(t => t.name).map(t => [t.x[0], t.opacity])"
    assert page.page.evaluate(look) == [[1, 1], [2, 1], [3, 1]]
    page.control("cost").select_option("parameters, millions")
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
    page.control("colour").select_option("encoder")
    first, second, *rest = page.page.evaluate(look)
    assert first != second
    assert rest == [first, second]
    assert page.page.locator("#key li").all_inner_texts() == ["resnet", "pvt"]


def test_columns_can_be_hidden(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=1, clips=0))
    assert page.page.locator("#cells-table td.probes").count() == 20
    page.page.get_by_role("checkbox", name="other sounds").uncheck(force=True)
    assert page.page.locator("#cells-table td.probes").count() == 0
    assert page.page.locator("#cells-table td.scores").count() == 6


def test_the_csv_has_a_line_a_run_that_is_shown_with_every_score(study: StudyWriter, opened: Open) -> None:
    report = study(cells=3, clips=0)
    page = opened(report)
    page.control("by.encoder").select_option("pvt")
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["cell"] for row in rows] == [report.runs[1].name, "not yet"]
    first = rows[0]
    assert float(first["true/miou_frame"]) == 0.2
    assert float(first["muted/fscore_dataset"]) == pytest.approx(0.14)
    assert (first["encoder"], first["seed"], first["state"], first["fingerprint"]) == (
        "pvt",
        "0",
        "done",
        "0123456789ab",
    )
    assert first["folder"] == str(report.runs[1].folder)
    assert rows[1]["true/miou_frame"] == ""


def test_a_run_has_its_folder_its_command_and_the_end_of_its_log(study: StudyWriter, opened: Open) -> None:
    report = study(cells=1, clips=0)
    page = opened(report)
    entry = page.page.locator("#run-list details").first
    entry.locator("summary").click()
    assert str(report.runs[0].folder) in entry.inner_text()
    assert "avs train 'fusion=[a b]'" in entry.inner_text()
    assert entry.locator("pre").inner_text() == "the beginning\nthe end"
    link = entry.get_by_role("link").evaluate("link => link.href")
    assert Path(unquote(urlparse(link).path)).resolve() == report.runs[0].folder.resolve()
    button = entry.get_by_role("button", name="Copy the command")
    button.click()
    page.wait("[...document.querySelectorAll('.copy')].some(button => button.textContent !== 'copy')")


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
    page.page.get_by_role("radio", name="errors", exact=True).check(force=True)  # and goes on playing
    assert not page.page.evaluate("document.querySelector('audio').paused")


def test_the_mask_is_switched_and_the_run_too(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=2, clips=1))
    drawn = {}
    for mask in ("prediction", "ground truth", "in silence", "errors"):
        page.page.get_by_role("radio", name=mask, exact=True).check(force=True)
        assert page.page.locator(".picture img.mask").count() == 15
        drawn[mask] = tuple(page.page.locator(".picture img.mask").first.evaluate(PIXELS))
    assert len(set(drawn.values())) >= 3
    assert drawn["ground truth"][1] > 200 > drawn["ground truth"][0]  # green
    page.page.get_by_role("radio", name="none").check(force=True)
    assert page.page.locator(".picture img.mask").count() == 0
    assert page.page.locator(".picture img").count() == 15
    before = page.page.locator("#gallery").inner_text()
    page.control("run").select_option(index=0)
    assert page.page.locator("#gallery").inner_text() != before
    assert page.page.locator(".picture img.mask").count() == 0  # the choice stays


def test_a_clip_stands_side_by_side_in_all_runs(study: StudyWriter, opened: Open) -> None:
    report = study(cells=3, clips=1)
    page = opened(report)
    page.page.get_by_role("button", name="Compare the runs on clip1").click()
    rows = page.page.locator(".compared > header").all_inner_texts()
    assert rows[0] == "ground truth"
    assert [row.split("\n")[0] for row in rows[1:]] == [run.name for run in report.runs[:3]]
    assert page.page.locator(".compared .frames").count() == 4
    assert page.page.locator("audio").count() == 1
    page.page.locator(".compared .frames").last.locator(".frame").nth(2).click()
    page.wait("document.querySelectorAll('.frame.playing').length === 4")
    page.page.get_by_role("button", name=f"All clips of {report.runs[1].name}").click()
    assert page.control("run").input_value() == report.runs[1].name


def test_where_nothing_sounds_the_number_is_another(run_folder: RunWriter, opened: Open) -> None:
    folder = run_folder("one", clips=1)
    for second in range(5):
        Image.new("1", (96, 96)).save(folder / "clips" / f"clip2_truth_{second}.png")
    Image.new("1", (96, 96)).save(folder / "clips" / "clip0_truth_0.png")
    page = opened(Report("One", "", {}, [ReportRun("one", {}, 0, "done", folder)], protocol="frame"))
    assert page.page.locator("#gallery h3").all_inner_texts()[-1].startswith("Nothing sounds")
    assert not [text for text in page.page.locator("#gallery h3").all_inner_texts() if text == "Best"]
    assert page.page.locator(".picture .silent").count() == 6
    last = page.page.locator(".clip").last.inner_text()
    assert "rightly dark" in last
    assert "mIoU" not in last
    assert "rightly dark pixels" in page.page.locator(".legend").inner_html()


def test_on_a_narrow_screen_a_score_is_seen_without_scrolling(study: StudyWriter, opened: Open) -> None:
    page = opened(study(cells=4, clips=0), width=420)
    script = """title => { const heads = [...document.querySelectorAll("#cells-table thead tr:last-child th")];
        return heads.find(head => head.innerText === title).getBoundingClientRect().right; }"""
    assert page.page.evaluate(script, "mIoU %") < 420
    assert page.page.evaluate(script, "F") < 420


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
    page.control("colour").select_option(index=1)
    assert all(name.startswith(hostile_study.title) for name in page.column("cell"))
    assert page.page.locator("img:not(.picture img)").count() == 0
    assert page.page.locator("a[href^=javascript]").count() == 0


def test_nothing_but_names_opens_too(opened: Open, run_folder: Callable[..., Path], tmp_path: Path) -> None:
    nothing = ReportRun("nothing", {}, 0, "new", tmp_path / "nowhere")
    assert opened(Report("Empty", "", {}, [nothing])).column("run") == ["nothing new"]
    single = replace(nothing, name="one", folder=run_folder("one", clips=1), state="done")
    page = opened(Report("One", "", {}, [single], protocol="frame"))
    assert page.page.locator("audio").count() == 3
    assert page.traces("validation") == ["one"]
    assert opened(Report("None", "", {}, [])).page.locator("h1").inner_text() == "None"
