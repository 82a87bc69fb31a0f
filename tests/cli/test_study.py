"""`avs study`: studies by their names, through the real command."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

MINE = {
    "title": "Mine",
    "question": "Which?",
    "base": ["data=ms3", "init=scratch", "encoder=test_resnet", "encoder.weights=none", "audio_encoder=small"],
    "axes": {"fusion": {"none": "fusion=none", "four": "fusion=stage4"}},
    "seeds": [1],
    "data": {"real": {}, "synthetic": {"base": ["experiment=small"]}},
    "table": {"rows": ["fusion"], "columns": [], "protocol": "frame"},
}
SHORT = ["trainer.max_epochs=1"]


def refused(ended: object, *phrases: str) -> None:
    """Check the form of an error, and that it says `phrases`."""
    code, err = ended.code, ended.err  # type: ignore[attr-defined]
    assert code == 1, err
    assert "Traceback" not in err
    message = " ".join(err.split())
    assert message.count("avs: error") == 1
    for phrase in phrases:
        assert phrase in message


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in, with a study `mine`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AVS_RUNS_DIR", raising=False)
    (tmp_path / "experiments" / "mine").mkdir(parents=True)
    (tmp_path / "experiments" / "mine" / "study.yaml").write_text(yaml.safe_dump(MINE, sort_keys=False))
    return tmp_path


def squeezed(text: str) -> str:
    """Return the letters alone: a table breaks its lines anywhere."""
    return re.sub(r"[\W_]", "", text)


def untouched(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} == {"experiments"}


@pytest.mark.parametrize(
    "argv, phrases",
    [
        (["rum", "table_a1"], ["there is no avs study rum; did you mean run", "status"]),
        (["run"], ["which study? avs study run NAME", "avs study list"]),
        (["run", "data=synthetic"], ["which study?"]),
        (
            ["run", "tabel_a1"],
            ["study=tabel_a1 is unknown; did you mean table_a", "scope, seeds, table_a1, table_a2"],
        ),
        (["run", "table_a1", "data=nosuch"], ["data=nosuch is unknown", "allowed: real, synthetic"]),
        (["run", "table_a1", "data=sinthetic"], ["did you mean synthetic?"]),
        (["run", "table_a1", "data="], ["table_a1: data= is unknown"]),
        (["run", "table_a1", "stages=stage5"], ["stages=stage5 is unknown", "did you mean stage"]),
        (["run", "table_a1", "backbone=resnet5,pvt_v2_b5"], ["backbone=resnet5 is unknown", "mean resnet50?"]),
        (["run", "table_a1", "seeds=abc"], ["seeds=abc: expected whole numbers, as seeds=0,1,2"]),
        (["run", "table_a1", "seeds="], ["seeds=: expected whole numbers"]),
        (["run", "table_a1", "seed=3"], ["seed=3 cannot hold for every cell of a study: seeds=0,1,2"]),
        (["run", "table_a1", "paths.output_dir=x"], ["paths.output_dir=x cannot hold", "paths.runs_dir=FOLDER"]),
        (["run", "table_a1", "resume=x"], ["resume=x cannot hold", "the same command goes on"]),
        (["run", "table_a1", "synthetic"], ["'synthetic' is no KEY=VALUE"]),
        (["run", "table_a1", "--dryrun"], ["avs study run has no option --dryrun"]),
        (["run", "mine", "fusion=none", "trainer.max_epoch=3"], ["no setting 'trainer.max_epoch'", "max_epochs"]),
        (["status", "mine"], ["no study 'mine' was run in", "avs study run mine runs it; there are none"]),
        (["table", "mine", "data=synthetic"], ["no study 'mine' was run with data=synthetic", "runs it"]),
        (["status", "mime"], ["no study 'mime' was run in", "did you mean mine?"]),
        (
            ["status", "mine", "fusion=none"],
            ["fusion=... means nothing here; data=VARIANT and paths.runs_dir=FOLDER do"],
        ),
        (["table", "mine", "--format", "html"], ["--format html is unknown; it is one of md, csv, latex"]),
        (["table", "mine", "--form", "md"], ["avs study table has no option --form"]),
        (["list", "mine"], ["avs study list takes nothing more, and 'mine' was given"]),
    ],
)
def test_what_is_wrong_is_said_once(avs: Callable, here: Path, argv: list[str], phrases: list[str]) -> None:
    refused(avs("study", *argv), *phrases)
    assert untouched(here)


@pytest.mark.parametrize(
    "text, phrases",
    [
        ("", ["study.yaml is empty"]),
        ("a: [", ["study.yaml cannot be read"]),
        ("titel: x", ["titel is unknown; did you mean title"]),
        ("title: x\ntable: {}", ["lacks `axes`"]),
    ],
)
def test_a_study_of_ones_own_that_is_wrong(avs: Callable, here: Path, text: str, phrases: list[str]) -> None:
    (here / "experiments" / "mine" / "study.yaml").write_text(text)
    refused(avs("study", "run", "mine"), *phrases)
    listed = avs("study", "list")
    assert listed.code == 0
    assert "table_a1" in listed.out  # the others are listed all the same
    assert squeezed(phrases[0]) in squeezed(listed.out)


def test_the_list_says_what_each_asks(avs: Callable, here: Path) -> None:
    out = " ".join(avs("study", "list").out.split())
    for word in ("mine", "table_a1", "table_a2", "seeds", "scope", "28 x 1", "8 x 1", "4 x 3", "2 x 1", "Which?"):
        assert word in out


def test_a_dry_run_writes_nothing(avs: Callable, here: Path) -> None:
    chosen = ["tpavi=without", "backbone=resnet50", "seeds=3,4", "data.image_size=32", "decoder.channels=8"]
    ended = avs("study", "run", "seeds", "data=synthetic", *chosen, "--dry-run")
    assert ended.code == 0, ended.err
    out = " ".join(ended.out.split())
    assert "2 new" in out
    assert "Estimate of time" in out
    assert "Disk: about" in out
    assert "Dry run: nothing was trained or written." in out
    assert untouched(here)


@pytest.mark.parametrize("word", ["--dry-run", "dry_run=true"])
def test_a_dry_run_of_a_sweep_writes_nothing(avs: Callable, here: Path, tiny: list[str], word: str) -> None:
    ended = avs("train", "-m", *tiny, "fusion=none,stage4", word)
    assert ended.code == 0, ended.err
    assert "2 new" in " ".join(ended.out.split())
    assert "Dry run" in ended.out
    assert untouched(here)


@pytest.mark.slow
def test_a_study_from_its_first_run_to_its_table(avs: Callable, here: Path, tiny: list[str]) -> None:
    def run(*more: str) -> object:
        return avs("study", "run", "mine", *[text for text in tiny if text != "data=ms3"], *SHORT, *more)

    ended = run("fusion=none")
    assert ended.code == 0, ended.err
    (cell,) = (here / "runs" / "cells").iterdir()
    assert {"plan.json", "table.md", "table.csv", "report.html"} <= {
        p.name for p in (here / "runs/studies/mine").iterdir()
    }
    assert "1 done" in " ".join(avs("study", "status", "mine").out.split())

    metrics = cell / "metrics.json"
    whole = metrics.read_text()
    assert len(json.loads(whole)["fingerprint"]) == 12
    metrics.write_text(whole[:50])
    (checkpoint,) = cell.glob("checkpoints/last.ckpt")
    before = checkpoint.read_bytes()
    assert "damaged" in " ".join(avs("study", "status", "mine").out.split())
    assert run("fusion=none").code == 0
    assert json.loads(metrics.read_text())["scores"] == json.loads(whole)["scores"]  # tested again, not trained again
    assert checkpoint.read_bytes() == before

    (here / "runs" / "studies" / "mine" / "plan.json").write_text("{")
    refused(avs("study", "table", "mine"), "plan.json is damaged", "writes it anew")
    ended = run()
    assert ended.code == 0, ended.err
    assert len(list((here / "runs" / "cells").iterdir())) == 2
    table = avs("study", "table", "mine", "--format", "md").out
    assert "| fusion | mIoU % | F |" in table
    exact = avs("study", "table", "mine", "--format", "md", "--score", "fscore", "--protocol", "dataset").out
    assert "| fusion | F |" in exact
    assert "protocol dataset" in exact
    refused(avs("study", "table", "mine", "--score", "miuo"), "--score: 'miuo'", "did you mean miou")
    refused(avs("study", "table", "mine", "--protocol", "frames"), "--protocol: 'frames'", "did you mean frame")
    assert "| none |" in table
    assert "missing" not in table
    for name, part in (("t.csv", "fusion,"), ("t.tex", "\\begin{table}"), ("t.md", "| none |")):
        assert avs("study", "table", "mine", "--output", name).code == 0
        assert part in (here / name).read_text()
    assert avs("study", "table", "runs/studies/mine", "--format", "latex").out == (here / "t.tex").read_text()
    refused(avs("study", "table", "mine", "--output", "runs"), "runs cannot be written")


def test_drawn_clips_named_as_the_real_ones_stand_beside_no_published_number(avs: Callable, here: Path) -> None:
    few = ["--train", "2", "--val", "1", "--test", "2", "--size", "32", "--no-videos", "--workers", "1"]
    assert avs("data", "make", "drawn", *few).code == 0
    (here / "drawn" / "Multi-sources" / "synthetic.json").unlink()  # as in a copy: the frames say it too
    chosen = ["setting=ms3", "backbone=resnet50", "stages=stage4", "data.root=drawn", "data.image_size=32"]
    small = ["encoder=test_resnet", "encoder.weights=none", "audio_encoder=small", "decoder.channels=8", "probes=none"]
    small += ["trainer.max_epochs=1", "trainer.accelerator=cpu", "data.workers=0", "callbacks.pictures.clips=0"]
    ended = avs("study", "run", "table_a1", *chosen, *small)
    assert ended.code == 0, ended.err
    (metrics,) = [json.loads(path.read_text()) for path in (here / "runs/cells").glob("*/metrics.json")]
    assert metrics["synthetic"] is True
    shown = [ended.out, avs("study", "table", "table_a1", "--format", "latex").out]
    shown += [(here / "runs/studies/table_a1" / name).read_text() for name in ("table.md", "table.csv", "report.html")]
    for text in shown:
        assert "42.29" not in text  # the paper's, of this cell
        assert "difference" not in text.partition("</style>")[2 if "<html" in text else 0].partition("<script")[0]
    rows = list(csv.DictReader(shown[3].splitlines()))
    assert [(row["clips"], row["encoder"]) for row in rows] == [("synthetic", "test_resnet")]

    frame = next((here / "drawn").rglob("visual_frames/*/*_3.png"))
    frame.write_bytes(next((here / "drawn").rglob("visual_frames/*/*_1.png")).read_bytes())
    refused(avs("study", "run", "table_a1", *chosen, *small), "1 of 1 cells were trained on another data set")


SCORES = ("miou_reference", "miou_frame", "fscore_reference")


def test_a_synthetic_study_never_shows_the_papers_numbers(avs: Callable, here: Path) -> None:
    from avs_lightning.studies.cells.cell import Cell
    from avs_lightning.studies.cells.plan import Plan
    from avs_lightning.studies.spec.study import read_study

    for data in ("real", "synthetic"):
        study = read_study("table_a1", data)
        cells = []
        for number, spec in enumerate(study.cells()):
            folder = here / "runs" / "cells" / f"{data}{number}"
            folder.mkdir(parents=True)
            scores = {"data": "ms3", "synthetic": data != "real", "scores": {"true": dict.fromkeys(SCORES, 0.4321)}}
            (folder / "metrics.json").write_text(json.dumps(scores))
            cells.append(Cell("", spec.parameters, 0, {}, str(number), folder))
        plan = Plan(study.folder_name, study.title, "", data != "real", [], cells, study.table)
        plan.save(here / "runs" / "studies" / study.folder_name)
    forms = ([], ["--format", "md"], ["--format", "csv"], ["--format", "latex"])
    options = ([], ["--score", "miou", "--protocol", "frame"], ["--score", "fscore"])
    for more in (form + option for form in forms for option in options):
        real, drawn = (avs("study", "table", "table_a1", f"data={data}", *more).out for data in ("real", "synthetic"))
        assert ("72.79" in real) == ("fscore" not in more)
        assert ("43.21" in drawn) == ("fscore" not in more)
        assert (".432" in drawn) == ("miou" not in more) or "csv" in more
        for number in ("72.79", "54.00", "71.98"):
            assert number not in drawn
    assert avs("report", "table_a1", "data=synthetic").code == 0
    assert "72.79" not in (here / "runs/studies/table_a1-synthetic/report.html").read_text()
