"""A study's table in its five forms."""

import csv
import io
import itertools
import re
import statistics
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from avs_lightning.studies.spec.published import published_table
from avs_lightning.studies.spec.table_layout import Claim, TableLayout
from avs_lightning.studies.tables.provenance import Code, Fingerprint, Provenance
from avs_lightning.studies.tables.study_table import StudyTable, build_table

STAGES = ("1", "2", "3", "4", "3 4", "2 3 4", "1 2 3 4")
A1 = TableLayout(
    rows=("setting", "backbone"),
    columns=("stages",),
    published="table_a1",
    labels={
        "setting": {"s4": "S4", "ms3": "MS3"},
        "backbone": {"resnet50": "ResNet-50", "pvt_v2_b5": "PVT-v2-b5"},
        "stages": {f"stages{text.replace(' ', '')}": text for text in STAGES},
    },
    claims=(Claim("all four stages are best", {"stages": "stages1234"}),),
)
A2 = TableLayout(
    rows=("tpavi",),
    columns=("init", "backbone"),
    published="table_a2",
    labels={"init": {"scratch": "Scratch", "single_source": "Single-source"}},
    claims=(Claim("pretraining helps", {"init": "single_source"}, {"init": "scratch"}),),
)
COMPARISON = TableLayout(
    rows=("method",),
    columns=("setting",),
    published="comparison",
    labels={"setting": {"s4": "S4", "ms3": "MS3"}},
    claims=(Claim("PVT-v2 is best", {"method": "AVS (PVT-v2)"}, {"method": "AVS (ResNet-50)"}),),
)
BACKBONES = ["resnet50", "pvt_v2_b5"]
AXES = {
    "table_a1": {"setting": ["s4", "ms3"], "backbone": BACKBONES, "stages": list(A1.labels["stages"])},
    "comparison": {"method": ["LVS", "AVS (ResNet-50)", "AVS (PVT-v2)"], "setting": ["s4", "ms3"]},
    "table_a2": {"tpavi": ["without", "with"], "init": ["scratch", "single_source"], "backbone": BACKBONES},
}
PROVENANCE = Provenance(
    data=("ms3",),
    fingerprints=(Fingerprint("ms3", "0123456789ab"),),
    codes=(Code("0.1.0", "abc", "commit 1"),),
    machines=("two cores",),
    dates=("2026-11-23",),
)
FORMS = ("to_markdown", "to_csv", "to_latex", "to_html", "to_rich")


def results(name: str, seeds: int = 1, **scores: float) -> pd.DataFrame:
    """Every cell done; each seed scores a point more than the one before."""
    scores = scores or {"miou_reference": 0.1111, "fscore_reference": 0.2222}
    combinations = itertools.product(*AXES[name].values(), range(seeds))
    return pd.DataFrame(
        {**dict(zip([*AXES[name], "seed"], values)), "state": "done"}
        | {score: value + 0.01 * values[-1] for score, value in scores.items()}
        for values in combinations
    )


def table(
    rows: pd.DataFrame,
    layout: TableLayout = A1,
    synthetic: bool = False,
    provenance: Provenance = PROVENANCE,
    **facts: str,
) -> StudyTable:
    published = published_table(layout.published) if layout.published else None
    return build_table(rows, layout, published, synthetic=synthetic, provenance=provenance, facts=facts, title="Table")


def written(made: StudyTable, form: str, width: int = 200) -> str:
    form_of = getattr(made, form)()
    if form != "to_rich":
        return str(form_of)
    console = Console(width=width)
    with console.capture() as capture:
        console.print(form_of)
    return capture.get()


def markdown_rows(made: StudyTable) -> list[list[str]]:
    lines = [line for line in made.to_markdown().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_table_a1_has_the_papers_rows_and_columns_and_numbers() -> None:
    head, _, *rows = markdown_rows(table(results("table_a1")))
    assert head == ["setting", "backbone", "", *STAGES]
    assert [row[:3] for row in rows[::4]] == [
        [setting, backbone, "mIoU %"] for setting in ("S4", "MS3") for backbone in ("ResNet-50", "PVT-v2-b5")
    ]
    assert rows[0][3:] == ["11.11"] * 7
    assert rows[1] == ["", "", "paper", "68.55", "69.56", "71.30", "69.99", "71.29", "71.98", "72.79"]
    assert rows[2] == ["", "", "difference", "−57.44", "−58.45", "−60.19", "−58.88", "−60.18", "−60.87", "−61.68"]
    assert rows[3] == ["", "", "F", *[".222"] * 7]  # the paper has none of it
    assert rows[13][3:] == ["46.16", "48.79", "47.35", "49.01", "49.79", "50.53", "54.00"]


def test_table_a2_has_the_papers_rows_and_columns_and_numbers() -> None:
    head, _, *rows = markdown_rows(table(results("table_a2", miou_reference=0.5, fscore_reference=0.57), A2))
    assert head[2:] == [
        "Scratch, resnet50",
        "Scratch, pvt_v2_b5",
        "Single-source, resnet50",
        "Single-source, pvt_v2_b5",
    ]
    assert rows[1] == ["", "paper", "43.56", "48.21", "45.50", "50.59"]
    assert rows[4][:2] == ["with", "mIoU %"]
    assert rows[6] == ["", "difference", "+2.12", "−4.00", "−4.33", "−7.34"]


def test_a_cell_is_the_mean_and_sample_deviation_over_its_seeds() -> None:
    rows = results("table_a1", seeds=3)
    values = [0.1, 0.2, 0.4]
    rows.loc[:2, "miou_reference"] = values
    made = table(rows)
    cell = made.cells[0]
    assert (cell.n, cell.planned, cell.state) == (3, 3, "done")
    score = cell.scores["miou"]
    assert score.mean == pytest.approx(100 * statistics.mean(values))
    assert score.std == pytest.approx(100 * statistics.stdev(values))  # n - 1
    assert score.difference == pytest.approx(100 * statistics.mean(values) - 68.55)
    assert markdown_rows(made)[2][3] == "23.33 ± 15.28"
    assert "mean ± sample standard deviation over 3 seeds" in made.to_markdown()
    single = table(results("table_a1"))
    assert single.cells[0].scores["miou"].std is None
    assert "±" not in single.to_markdown()


def test_a_cell_says_how_many_seeds_it_has_where_they_differ() -> None:
    rows = results("table_a1", seeds=3).drop(index=[0])
    assert markdown_rows(table(rows))[2][3:5] == ["12.61 ± 0.71 (n=2)", "12.11 ± 1.00 (n=3)"]


@pytest.mark.parametrize("form", FORMS)
def test_missing_cells_and_seeds_are_shown_as_missing(form: str) -> None:
    rows = results("table_a1", seeds=3)
    for cell, state in enumerate(["new", "failed", "blocked", "running", "resumed"]):
        rows.loc[3 * cell : 3 * cell + 2, "state"] = state
    rows.loc[18, "state"] = "failed"
    rows.loc[21:23, "miou_reference"] = float("nan")
    text = " ".join(written(table(rows), form, 260).split())
    for state in ("not run", "failed", "blocked", "running", "cut off", "2 of 3 seeds", "no score"):
        assert state in text
    if form != "to_csv":
        assert "6 of 28 cells are missing: 1 not run, 1 failed, 1 blocked, 1 running, 1 cut off, 1 no score" in text
        assert text.count("-- not run" if form == "to_latex" else "– not run") == 1


def test_a_failed_seed_tells_more_than_one_not_run() -> None:
    rows = results("table_a1", seeds=2)
    rows.loc[:1, "state"] = ["new", "failed"]
    assert table(rows).cells[0].state == "failed"


def test_a_combination_that_the_study_lacks_stays_empty() -> None:
    rows = markdown_rows(table(results("table_a1").drop(index=[10])))[2:]
    assert [rows[line][6] for line in range(8)] == ["11.11", "69.99", "−58.88", ".222", "", "", "", ""]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "layout",
    [A1, A2, COMPARISON, A1.of(["fpr", "miou"]), COMPARISON.of(["fscore"], "frame"), COMPARISON.of(["fscore", "miou"])],
)
def test_a_synthetic_table_never_shows_the_papers_numbers(layout: TableLayout, form: str) -> None:
    rows = results(
        str(layout.published), 3, **dict.fromkeys(("miou_reference", "false_positive_rate"), 0.1111),
        fscore_reference=0.2222, fscore_frame=0.2222,
    )  # fmt: skip
    made, real = table(rows, layout, synthetic=True), table(rows, layout)
    text = written(made, form)
    assert real.compared
    for score in real.compared:
        unit = layout.units[score]
        measured = {"miou": 12.11, "fscore": 0.2322}[score]
        published = published_table(str(layout.published))[score]
        assert unit.text(published.iloc[0]) in written(real, form) or form == "to_csv"
        for number in published:
            assert unit.text(number) not in text
            assert f"{number:g}" not in re.split(r"[^\d.]+", text)
            for sign in "+-−":
                assert f"{sign}{unit.text(abs(measured - number))}" not in text
    assert not re.search(r"(?<![a-z])paper\b(?! claims)|(?<![a-z])difference\b|Zhou", text)
    assert made.compared == ()
    if form != "to_csv":
        assert "Synthetic clips" in text
        assert re.search(
            f"The paper claims: {layout.claims[0].text}. Here it held in 0 of [24].", " ".join(text.split())
        )
        shown = layout.leading.text(0.2322 if layout.scores[0] == "fscore" else 12.11)
        assert text.count(f"did not hold, {shown} against {shown}") == (2 if layout.published == "comparison" else 4)


def test_both_scores_stand_beside_the_papers_where_it_has_both() -> None:
    head, _, *rows = markdown_rows(table(results("comparison", miou_reference=0.5, fscore_reference=0.57), COMPARISON))
    assert head == ["method", "", "S4", "MS3"]
    assert rows[:6] == [
        ["LVS", "mIoU %", "50.00", "50.00"],
        ["", "paper", "37.94", "29.45"],
        ["", "difference", "+12.06", "+20.55"],
        ["", "F", ".570", ".570"],
        ["", "paper", ".510", ".330"],
        ["", "difference", "+.060", "+.240"],
    ]


@pytest.mark.parametrize("other", [True, None])
def test_one_result_that_is_not_known_to_be_of_real_clips_keeps_the_papers_numbers_away(other: bool | None) -> None:
    rows = results("table_a1")
    real = table(rows.assign(synthetic=False))
    assert not real.synthetic
    assert "paper" in real.to_csv().splitlines()[0]
    made = table(rows.assign(synthetic=[other, *[False] * (len(rows) - 1)], encoder="test_resnet"))
    assert made.synthetic
    assert "paper" not in made.to_csv()
    assert all("synthetic,test_resnet" in line for line in made.to_csv().splitlines()[1:])


@pytest.mark.parametrize("form", [form for form in FORMS if form != "to_csv"])
def test_below_stand_the_protocol_the_source_and_the_facts(form: str) -> None:
    text = " ".join(written(table(results("table_a1"), seeds="0", note="tried"), form).split())
    for words in (
        "protocol reference@4 (as the released scripts: mean over batches of 4 clips)",
        "supplementary material, Table A1",
        "data set: ms3",
        "fingerprint of the data: ms3 0123456789ab",
        "code version: 0.1.0 (abc, commit 1)",
        "seeds: 0",
        "date: 2026-11-23",
        "machine: two cores",
        "note: tried",
    ):
        assert words in text
    assert "Warning" not in text


def test_what_was_mixed_is_a_warning() -> None:
    mixed = replace(PROVENANCE, codes=(Code("0.1.0", "abc"), Code("0.1.0", "def")))
    made = table(results("table_a1"), provenance=mixed)
    assert made.warnings == ["cells come from 2 code versions."]
    for form in ("to_markdown", "to_latex", "to_html", "to_rich"):
        assert written(made, form).count("Warning:") == 1


def test_another_protocol_than_the_papers_is_a_warning() -> None:
    layout = TableLayout(rows=A1.rows, columns=A1.columns, protocol="frame", published="table_a1", labels=A1.labels)
    made = table(results("table_a1", miou_frame=0.5), layout)
    assert made.warnings == ["the paper's numbers follow the protocol reference@4, ours frame."]
    assert made.cells[0].scores["miou"].mean == pytest.approx(50)
    unlike = table(results("table_a1").replace("resnet50", "resnet18").replace("pvt_v2_b5", "pvt_v2_b0"))
    assert unlike.warnings == ["no cell of this study has a published mIoU % or F."]


@pytest.mark.parametrize("score, cell", [("miou", "45.68"), ("fscore", ".457"), ("fpr", "45.7")])
def test_scores_are_shown_as_the_paper_shows_them(score: str, cell: str) -> None:
    layout = TableLayout(rows=A1.rows, columns=A1.columns, scores=(score,), labels=A1.labels)
    rows = results("table_a1", miou_reference=0.45678, fscore_reference=0.45678, false_positive_rate=0.45678)
    made = table(rows, layout)
    assert markdown_rows(made)[2][2:] == [cell] * 7
    assert ("protocol" in made.to_markdown()) == (score != "fpr")


def test_the_csv_has_a_line_for_each_cell() -> None:
    rows = results("table_a1", seeds=2)
    rows.loc[2:3, "state"] = "failed"
    lines = list(csv.DictReader(io.StringIO(table(rows).to_csv())))
    assert len(lines) == 28
    first, second = ({name: line[name] for name in [*A1.axes, *COUNTED]} for line in lines[:2])
    assert first == {
        "setting": "s4", "backbone": "resnet50", "stages": "stages1", "n": "2", "planned": "2", "miou_mean": "11.61",
        "miou_std": "0.707107", "miou_paper": "68.55", "miou_difference": "-56.94", "fscore_mean": "0.2272",
        "fscore_std": "0.00707107", "state": "done",
    }  # fmt: skip
    assert (second["n"], second["miou_mean"], second["miou_paper"], second["state"]) == ("0", "", "69.56", "failed")
    assert (lines[0]["protocol"], lines[0]["fingerprint"]) == ("reference", "ms3 0123456789ab")


MIOU = ("miou_mean", "miou_std", "miou_paper", "miou_difference")
COUNTED = ("n", "planned", *MIOU, "fscore_mean", "fscore_std", "state")


def test_the_terminals_80_columns_hold_table_a1_without_cutting_a_number() -> None:
    text = written(table(results("table_a1", seeds=3)), "to_rich", width=80)
    assert "…" not in text
    assert text.count("±1.00") == text.count("±.010") == 28
    for number in published_table("table_a1")["miou"]:
        assert f"{number:.2f}" in text
    rows = results("table_a1", 3, miou_reference=0.1111, fscore_reference=0.2222, false_positive_rate=0.3333)
    every = written(table(rows, A1.of(["miou", "fscore", "fpr"])), "to_rich", width=80)
    for cell in table(rows).cells:
        assert A1.leading.signed(cell.scores["miou"].difference or 0) in every


@pytest.mark.parametrize("form", FORMS)
def test_of_other_data_no_published_number_stands_beside_the_table(form: str) -> None:
    other = written(table(results("table_a1"), provenance=replace(PROVENANCE, data=("ms3", "own"))), form)
    same = written(table(results("table_a1")), form)
    numbers = ["miou_paper"] if form == "to_csv" else [f"{n:.2f}" for n in published_table("table_a1")["miou"]]
    assert not any(number in other for number in numbers)
    assert all(number in same for number in numbers)
    assert "S4, MS3" in other or form in ("to_csv", "to_latex")


def test_a_table_of_one_axis_has_one_column() -> None:
    layout = TableLayout(rows=("fusion",), columns=())
    rows = pd.DataFrame({"fusion": ["none", "clip"], "seed": 0, "state": "done", "miou_reference": [0.1, 0.2]})
    rows["fscore_reference"] = [0.57, 0.58]
    made = build_table(rows, layout, None, synthetic=True)
    assert markdown_rows(made)[0] == ["fusion", "mIoU %", "F"]
    assert markdown_rows(made)[2:] == [["none", "10.00", ".570"], ["clip", "20.00", ".580"]]
    for form in FORMS:
        assert "clip" in written(made, form)
    turned = build_table(rows, TableLayout(rows=(), columns=("fusion",)), None, synthetic=True)
    assert markdown_rows(turned) == [
        ["", "none", "clip"],
        ["---", "---:", "---:"],
        ["mIoU %", "10.00", "20.00"],
        ["F", ".570", ".580"],
    ]
    for form in FORMS:
        assert "clip" in written(turned, form)
