"""From overrides to cells: every study of the package, and the S4 cell that a start from S4 needs."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import pytest
from hydra import initialize_config_module
from omegaconf import OmegaConf

from avs_lightning.cli import sweep
from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.errors import UserError
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.composing import Composed, compose_cells, parent_overrides, with_dashboard
from avs_lightning.studies.cells.plan import with_parents
from avs_lightning.studies.spec.cell_spec import CellSpec
from avs_lightning.studies.spec.study import narrowed, read_study, study_files

SMALL = ["data=synthetic_ms3", "encoder=resnet18", "fusion=stage4", "logger=csv"]
KINDS = pytest.mark.parametrize("data", ["synthetic", pytest.param("real", marks=pytest.mark.slow)])


@pytest.fixture
def compose() -> Iterator[Callable[[Sequence[str]], Composed]]:
    set_up_hydra([])
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        yield lambda overrides: sweep.compose("train", overrides)


@cache
def cells_of(name: str, data: str) -> tuple[Cell, ...]:
    """The cells of a study of the package; of several seeds the first."""
    study = read_study(name, data)
    specs = list(narrowed(study, {}, study.seeds[:1]).cells())
    set_up_hydra([text for spec in specs for text in spec.overrides])
    with pytest.MonkeyPatch.context() as patch, initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        sweep.compose("train", specs[0].overrides)  # checked; the others in half the time
        patch.setattr(sweep, "check_values", lambda config: None)
        return tuple(compose_cells(specs, lambda given: sweep.compose("train", given)))


def by(cells: Sequence[Cell], **values: str) -> set[str]:
    """Return the signatures of the cells that have these values of these axes."""
    return {cell.signature for cell in cells if values.items() <= cell.parameters.items()}


@pytest.mark.slow
def test_every_study_composes_for_every_kind_of_data() -> None:
    assert {"table_a1", "table_a2", "seeds", "scope", "demo"} <= set(study_files())
    signatures: dict[str, set[str]] = {}
    for name in study_files():
        for data in read_study(name).variants:
            cells = cells_of(name, data)
            assert len(with_parents(cells)) >= len(cells) > 1  # none twice
            assert len({cell.folder for cell in cells}) == len(cells)
            signatures.setdefault(data, set()).update(by(cells))
    assert not signatures["real"] & signatures["synthetic"]


@KINDS
def test_table_a1_has_28_cells_and_table_a2_8_and_the_4_they_start_from(data: str) -> None:
    a1, a2 = cells_of("table_a1", data), cells_of("table_a2", data)
    assert len(a1) == len(with_parents(a1)) == 28
    assert len(a2) == 8
    parents = [cell for cell in with_parents(a2) if cell not in a2]
    assert len(parents) == 4
    assert {cell.parent for cell in a2} == {None, *parents}
    for cell in a2:
        assert (cell.parent is None) == (cell.parameters["init"] == "scratch")
        if cell.parent:
            s4, ms3 = cell.parent.config, cell.config
            assert (s4["data"]["name"], ms3["data"]["name"]) == ("s4", "ms3")
            same = ("encoder", "audio_encoder", "fusion", "decoder", "seed")
            assert [s4[key] for key in same] == [ms3[key] for key in same]


@KINDS
def test_what_two_studies_ask_for_is_one_cell(data: str) -> None:
    a1, a2, seeds = (cells_of(name, data) for name in ("table_a1", "table_a2", "seeds"))
    scratch = by(a2, tpavi="with", init="scratch")
    assert scratch == by(a1, setting="ms3", stages="stages1234")
    assert len(scratch) == 2
    parents = {cell.parent.signature for cell in a2 if cell.parent and cell.parameters["tpavi"] == "with"}
    assert parents == by(a1, setting="s4", stages="stages1234")
    assert by(seeds) == by(a2, init="scratch")
    assert {cell.folder for cell in a1} & {cell.folder for cell in with_parents(a2)}


def test_two_cells_that_compute_the_same_are_refused_by_their_names(compose: Callable) -> None:
    specs = [
        CellSpec(name, {}, [*SMALL, more]) for name, more in (("one", "data.workers=0"), ("two", "data.workers=1"))
    ]
    with pytest.raises(UserError, match="two cells compute the same: one and two"):
        with_parents(compose_cells(specs, compose))


def test_a_cell_and_the_start_of_another_may_be_one(compose: Callable) -> None:
    s4 = ["data=synthetic_s4", *SMALL[1:], "init=scratch"]
    child = CellSpec("child", {"init": "single_source"}, [*SMALL, "init=single_source"])
    for specs in ([child, CellSpec("own", {}, s4)], [CellSpec("own", {}, s4), child]):
        ordered = with_parents(compose_cells(specs, compose))
        assert [cell.name for cell in ordered] == ["own", "child"]
        assert ordered[1].parent
        assert ordered[1].parent.folder == ordered[0].folder


def test_the_parent_has_the_childs_network_and_nothing_that_is_of_ms3_alone() -> None:
    overrides = ["data=ms3", "data.partition=by_source", "data.partition_seed=3", "encoder=resnet18",
                 "init=single_source", "init.checkpoint=null", "trainer.max_epochs=2"]  # fmt: skip
    parents = {"ms3": ["data=s4", "init=scratch", "~data.partition", "~data.partition_seed"]}
    composed = Composed(OmegaConf.create({"init": {"parent": parents}}), {"data": "ms3", "init": "single_source"})
    kept = parent_overrides(overrides, composed)
    assert kept == ["encoder=resnet18", "trainer.max_epochs=2", "data=s4", "init=scratch"]


def test_s4_does_not_start_from_s4(compose: Callable) -> None:
    spec = CellSpec("cell", {}, ["data=synthetic_s4", *SMALL[1:], "init=single_source"])
    with pytest.raises(
        UserError, match=r"init=single_source has no parent for data=synthetic_s4.*ms3 or synthetic_ms3"
    ):
        compose_cells([spec], compose)


def test_a_start_from_a_named_checkpoint_has_no_parent(compose: Callable) -> None:
    spec = CellSpec("cell", {}, [*SMALL, "init=single_source", "init.checkpoint=s4.ckpt"])
    (cell,) = compose_cells([spec], compose)
    assert cell.parent is None
    assert cell.config["init"]["checkpoint"] == "s4.ckpt"


def test_dashboards_are_told_group_name_and_tags(compose: Callable) -> None:
    spec = CellSpec("a b", {"axis": "a", "other": "b"}, [*SMALL[:-1], "logger.wandb.tags=[mine]"])
    (cell,) = compose_cells([spec], compose)
    told = with_dashboard(cell, "table_a1").config["logger"]["wandb"]
    assert (told["group"], told["name"], told["tags"]) == ("table_a1", "a b", ["mine", "axis=a", "other=b"])
