import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch

from avs_lightning.benchmarks.measuring import Comparison, Place, Variant, measure

ROOT = Path(__file__).resolve().parents[2]


def prepare_allocation(megabytes):
    return lambda: torch.ones(megabytes * 250_000).sum()


def prepare_exhaustion():
    def work():
        raise torch.OutOfMemoryError("CUDA out of memory")

    return work


def prepare_death():
    return lambda: os.kill(os.getpid(), signal.SIGKILL)


def prepare_mistake():
    return lambda: torch.ones(2) @ torch.ones(3)


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)  # the measuring processes import this module by its name


def test_peak_memory_is_that_of_the_work():
    small, large = (Variant("", partial(prepare_allocation, megabytes)) for megabytes in (20, 400))
    found = measure(Comparison("", small, large), "cpu", quick=True)
    assert 20e6 < found[0].peak_bytes < 120e6
    assert 400e6 < found[1].peak_bytes < 500e6
    assert [one.repeats for one in found] == [1, 1]


def test_a_form_that_runs_out_of_memory_has_no_measurement():
    found = measure(Comparison("", Variant("", prepare_exhaustion), Variant("", prepare_death)), "cpu")
    assert found == [None, None]


def test_a_mistake_is_not_taken_for_a_lack_of_memory():
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        measure(Comparison("", Variant("", prepare_mistake), Variant("", prepare_mistake)), "cpu")


def test_a_place_says_what_it_is():
    place = Place("cpu", "bfloat16", 4)
    assert str(place) == "bfloat16, batch 4"
    with place.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
