import json

import pytest
import torch

from avs_lightning.benchmarks import loading, log_mels, run, scoring, startup, tpavi, training_step
from avs_lightning.benchmarks.machine import describe_machine
from avs_lightning.benchmarks.measuring import Comparison, Measurement, Place, Usage, Variant
from avs_lightning.benchmarks.quadratic_tpavi import QuadraticTPAVI
from avs_lightning.cli import COMMANDS
from avs_lightning.data import log_mel
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVS, TPAVI

PLACE = Place("cpu", "float32", 1)


def test_results_are_written_and_printed(tmp_path, capsys):
    output = tmp_path / "deep" / "results.json"
    rows = run.run_benchmarks(["f_score"], output, quick=True)
    written = json.loads(output.read_text())
    assert written["rows"] == rows
    assert written["machine"]["torch"] == torch.__version__
    (row,) = rows
    assert row["setting"] == "2 frames, 32²"
    assert row["ratio"] == row["other"]["seconds"] / row["ours"]["seconds"]
    assert row["ours"]["per_second"] == 2 / row["ours"]["seconds"]
    assert "histogram" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in run.BENCHMARKS if name != "loader"])
def test_every_benchmark_runs_both_forms(name):
    for comparison in run.BENCHMARKS[name](PLACE, True):
        for variant in filter(None, (comparison.ours, comparison.other)):
            variant.prepare()()


def test_the_loader_passes_over_all_clips():
    for comparison in loading.compare_workers(PLACE, True):
        assert comparison.ours.prepare()() == comparison.items == 2


def test_both_forms_of_a_row_compute_the_same():
    waveforms = torch.rand(2, 80_000) - 0.5
    torch.testing.assert_close(log_mels.log_mels_patch_by_patch(waveforms), log_mel(waveforms, 16_000))
    torch.testing.assert_close(*(scoring.prepare_score(looped, 3, 16, "cpu")() for looped in (False, True)))


def test_the_replaced_form_is_really_there(monkeypatch):
    networks = []

    def build(*args, **options):
        networks.append(AVS(*args, **options))
        return networks[-1]

    monkeypatch.setattr(training_step, "AVS", build)
    for quadratic, form in ((False, TPAVI), (True, QuadraticTPAVI)):
        training_step.prepare_step("resnet18", 32, PLACE, quadratic)
        assert [type(tpavi) for tpavi in networks[-1].fusion.values()] == [form] * 4


def results_of(monkeypatch, tmp_path, growth, found):
    comparison = Comparison("here", Variant("a", list), Variant("b", list), growth=growth)
    monkeypatch.setattr(run, "measure", lambda *_: found)
    monkeypatch.setitem(run.BENCHMARKS, "tpavi", lambda *_: iter([comparison]))
    return run.run_benchmarks(["tpavi"], tmp_path / "x.json")[0]


def test_ratios(monkeypatch, tmp_path, capsys):
    slow, fast = Measurement(8.0, 3, 10**6), Measurement(2.0, 3, 10**6)
    row = results_of(monkeypatch, tmp_path, None, [fast, slow])
    assert (row["ratio"], row["reads"]) == (4, "× faster")
    row = results_of(monkeypatch, tmp_path, 5.0, [slow, fast])
    assert (row["ratio"], row["reads"]) == (0.8, "× linear")
    row = results_of(monkeypatch, tmp_path, None, [fast, None])
    assert row["ratio"] is None
    assert "out of memory" in capsys.readouterr().out


def test_a_start_is_measured_in_cpu_seconds_by_itself(tmp_path, capsys):
    rows = run.run_benchmarks(["startup"], tmp_path / "x.json", quick=True)
    assert [row["setting"] for row in rows] == ["avs --help", "avs train --help"]
    for row in rows:
        assert (row["other"], row["ratio"], row["ours"]["repeats"]) == (None, None, 1)
        assert row["ours"]["seconds"] > 0
        assert 5 < row["ours"]["peak_mb"] < 200  # what the starting process holds does not count
    assert "starts/s" in capsys.readouterr().out.replace("\n", "")


def test_a_command_that_fails_has_no_start(tmp_path, capfd):
    assert isinstance(startup.prepare_start("options", tmp_path)(), Usage)
    with pytest.raises(RuntimeError, match="exit code 1"):
        startup.prepare_start("study status nowhere", tmp_path)()


def test_the_start_of_every_page_of_help_is_measured():
    measured = {line.split()[0] for line in startup.HELP[1:]}
    assert measured == set(COMMANDS)


def test_growth_compares_positions():
    assert [comparison.growth for comparison in tpavi.compare_sizes(PLACE, False)] == [4, 1, 16, 1]


def test_mistakes_are_named(tmp_path):
    with pytest.raises(UserError, match=r"benchmark=fscore is unknown; did you mean f_score\? \(allowed: tpavi, "):
        run.run_benchmarks(["fscore"], tmp_path / "x.json")
    with pytest.raises(UserError, match="cannot write the benchmark's results"):
        run.run_benchmarks([], tmp_path)


def test_the_machine_is_described_without_its_name():
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["memory_gb"] > 0
    assert json.loads(json.dumps(machine)) == machine
