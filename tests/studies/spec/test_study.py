"""study.yaml: what it may say, and one clear message for what it may not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from avs_lightning.errors import UserError
from avs_lightning.studies.spec.study import narrowed, read_study, study_file, study_files

STUDY = """
title: Two by two
question: Which is better?
base: init=scratch
axes:
  fusion: {none: fusion=none, all: [fusion=stages1234, fusion.scope=frame]}
  backbone: {small: encoder=resnet18, large: encoder=resnet50}
seeds: [3, 4]
data:
  real: {}
  synthetic:
    base: [experiment=small]
    axes: {backbone: {large: encoder=test_resnet}}
    seeds: [0]
    labels: {backbone: {large: stand-in}}
table: {rows: [fusion], columns: [backbone], score: miou, protocol: frame}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """`write(key=value, ...)` writes STUDY with other top-level values (None: without it) and returns its path."""

    def write(text: str | None = None, name: str = "mine", **changes: object) -> str:
        content = yaml.safe_load(STUDY) | changes
        path = tmp_path / name / "study.yaml"
        path.parent.mkdir(exist_ok=True)
        kept = {key: value for key, value in content.items() if value is not None}
        path.write_text(yaml.safe_dump(kept, sort_keys=False) if text is None else text)
        return str(path)

    return write


def test_cells_are_every_combination_with_the_seeds_innermost(write: Callable[..., str]) -> None:
    study = read_study(write())
    assert (study.name, study.data, study.variants) == ("mine", "real", ("real", "synthetic"))
    cells = list(study.cells(["trainer.max_epochs=2"]))
    assert [cell.name for cell in cells] == [
        f"{fusion} {backbone} seed {seed}"
        for fusion in ("none", "all")
        for backbone in ("small", "large")
        for seed in (3, 4)
    ]
    assert cells[-1].parameters == {"fusion": "all", "backbone": "large"}
    assert cells[-1].overrides == (
        "init=scratch", "fusion=stages1234", "fusion.scope=frame", "encoder=resnet50", "trainer.max_epochs=2", "seed=4",
    )  # fmt: skip


def test_a_variant_changes_base_values_seeds_and_labels(write: Callable[..., str]) -> None:
    study = read_study(write(), "synthetic")
    assert study.folder_name == "mine-synthetic"
    assert study.base == ("init=scratch", "experiment=small")
    assert study.axes["backbone"] == {"small": ("encoder=resnet18",), "large": ("encoder=test_resnet",)}
    assert study.seeds == (0,)
    assert study.layout.label("backbone", "large") == "stand-in"


def test_a_selection_keeps_the_studys_order(write: Callable[..., str]) -> None:
    study = narrowed(read_study(write()), {"backbone": ["large", "small"], "fusion": ["all"]}, [7])
    assert [tuple(cell.parameters.values()) for cell in study.cells()] == [("all", "small"), ("all", "large")]
    assert study.seeds == (7,)


@pytest.mark.parametrize(
    "changes, phrases",
    [
        ({"axis": {}}, ["=axis is unknown", "did you mean axes", "allowed: title, question"]),
        ({"axes": None}, ["lacks `axes`", "title, axes, table have to be given"]),
        ({"axes": {}}, ["lacks `axes`"]),
        ({"title": None}, ["lacks `title`"]),
        ({"table": None}, ["lacks `table`"]),
        ({"axes": ["fusion"]}, ["axes: expected axis: {value: overrides}, not ['fusion']"]),
        ({"axes": {"fusion": "fusion=none"}}, ["axes.fusion: expected value: overrides"]),
        ({"axes": {"fusion": {}}}, ["axes.fusion has no values"]),
        ({"axes": {"fusion": {"none": "stage1"}}}, ["axes.fusion.none: 'stage1' is no override", "KEY=VALUE"]),
        ({"axes": {"fusion": {"none": 3}}}, ["axes.fusion.none: 3 is no override"]),
        ({"axes": {"fusion": {"a,b": "fusion=none"}}}, ["'a,b' cannot name a value", "no space, comma or ="]),
        ({"axes": {"seed": {"1": "seed=1"}}}, ["'seed' cannot name an axis"]),
        ({"axes": {"data": {"s4": "data=s4"}}}, ["'data' cannot name an axis"]),
        ({"axes": {"data.size": {"s4": "data=s4"}}}, ["'data.size' cannot name an axis: one word"]),
        ({"base": "init"}, ["base: 'init' is no override"]),
        ({"base": 5}, ["base: 5 is no override"]),
        ({"base": {"init": "scratch"}}, ["base: {'init': 'scratch'} is no override"]),
        ({"seeds": "abc"}, ["seeds: expected whole numbers, as [0, 1, 2], not 'abc'"]),
        ({"seeds": [1, "x"]}, ["seeds: expected whole numbers"]),
        ({"seeds": [-1]}, ["seeds: expected whole numbers"]),
        ({"data": "synthetic"}, ["data: expected variants of the data, not 'synthetic'"]),
        ({"data": {"real": {"bases": []}}}, ["data.real: key=bases is unknown; did you mean base"]),
        ({"data": {"real": "all"}}, ["data.real: expected base, axes, seeds, labels, not 'all'"]),
        ({"data": {"real": {"axes": {"backbones": {"a": "b=c"}}}}}, ["=backbones is unknown", "mean backbone?"]),
        ({"data": {"real": {"axes": {"backbone": {"larg": "b=c"}}}}}, ["=larg is unknown; did you mean large?"]),
        ({"data": {"real": {"labels": "x"}}}, ["data.real.labels: expected"]),
        ({"table": "miou"}, ["table: expected", "not 'miou'"]),
        ({"table": {"rows": ["fusio"], "columns": ["backbone"]}}, ["table.rows=fusio", "did you mean fusion?"]),
        ({"table": {"rows": ["fusion"]}}, ["the axis backbone is neither in rows nor in columns"]),
        ({"table": {"rows": ["fusion"], "columns": ["backbone"], "labels": 3}}, ["table.labels: expected"]),
        ({"text": ""}, ["is empty; a study has title"]),
        ({"text": "a: [b"}, ["cannot be read: while parsing"]),
        ({"text": "[a, b]"}, ["expected title, question", "not ['a', 'b']"]),
        ({"text": "\0"}, ["cannot be read"]),
    ],
)
def test_a_file_that_is_wrong(write: Callable[..., str], changes: dict[str, object], phrases: list[str]) -> None:
    path = write(**changes)
    with pytest.raises(UserError) as error:
        read_study(path)
    message = str(error.value)
    assert message.startswith(path)
    assert "\n" not in message
    for phrase in phrases:
        assert phrase in message


def test_the_file_is_not_utf8(write: Callable[..., str]) -> None:
    path = Path(write())
    path.write_bytes(b"title: \xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        read_study(str(path))


def test_a_deletion_is_an_override(write: Callable[..., str]) -> None:
    assert read_study(write(base=["~logger.wandb"])).base == ("~logger.wandb",)


@pytest.mark.parametrize(
    "choices, phrases",
    [
        ({"backbone": ["lrge"]}, ["backbone=lrge is unknown", "did you mean large?"]),
        ({"backbone": [""]}, ["backbone= is unknown"]),
        ({"backbon": ["large"]}, ["=backbon is unknown; did you mean backbone?"]),
    ],
)
def test_an_unknown_choice(write: Callable[..., str], choices: dict[str, list[str]], phrases: list[str]) -> None:
    with pytest.raises(UserError) as error:
        narrowed(read_study(write()), choices)
    for phrase in phrases:
        assert phrase in str(error.value)


def test_an_unknown_variant(write: Callable[..., str]) -> None:
    with pytest.raises(
        UserError, match=r"mine: data=sinthetic is unknown; did you mean synthetic\? \(allowed: real, synthetic"
    ):
        read_study(write(), "sinthetic")


def test_studies_are_found_here_before_those_of_the_package(
    write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = study_file("table_a1")
    assert {"table_a1", "table_a2", "seeds", "scope"} <= set(study_files())
    (tmp_path / "experiments").mkdir()
    here = [Path(write(name=f"experiments/{name}")) for name in ("table_a1", "own")]
    monkeypatch.chdir(tmp_path)
    assert [study_file("table_a1"), study_file("own")] == here
    assert here[0] != packaged
    assert study_file("table_a2").parent.parent == packaged.parent.parent


def test_a_study_is_named_after_its_folder_or_its_file(
    write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(write())
    monkeypatch.chdir(path.parent)
    assert {read_study(name).name for name in ("study.yaml", str(path), str(path.parent))} == {"mine"}
    assert read_study(str(path.rename(path.with_name("grid.yml")))).name == "grid"


def test_a_study_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"study=table_a3 is unknown; did you mean table_a\d, table_a\d.*seeds"):
        study_file("table_a3")
