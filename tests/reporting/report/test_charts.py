"""The charts' traces."""

from collections.abc import Callable
from dataclasses import replace

from avs_lightning.reporting.report import Report
from avs_lightning.reporting.report.charts import Chart, charts
from avs_lightning.reporting.report.results import read_results


def drawn(report: Report) -> dict[str, Chart]:
    return {chart.name: chart for chart in charts(read_results(report.runs), "frame")}


def test_a_trace_a_run_that_has_something_to_show(study: Callable[..., Report]) -> None:
    found = drawn(study())
    assert set(found) == {"validation", "loss", "cost", "sounds", "seconds", "categories"}
    for chart in found.values():
        assert [trace.meta["run"] for trace in chart.figure.data] == [0, 1, 2, 3]  # the last was never started
    validation = found["validation"].figure.data[3]
    assert validation.x == (1, 2, 3, 4, 5)
    assert round(validation.y[-1], 6) == 40
    assert found["sounds"].figure.data[0].x[:2] == ("own sound", "muted")
    assert found["seconds"].figure.data[0].x == (1, 2, 3, 4, 5)


def test_cost_can_be_chosen_among_what_is_known(study: Callable[..., Report]) -> None:
    report = study()
    chart = drawn(report)["cost"]
    assert chart.axes == ("train minutes", "clips a second in training", "parameters, millions", "peak memory, MiB")
    assert [trace.meta["x"]["train minutes"] for trace in chart.figure.data] == [[1], [2], [3], [4]]
    results = read_results(report.runs)
    for result in results:
        result.cost.pop("peak_memory_mib", None)
    results[1].cost.clear()
    (chart,) = [chart for chart in charts(results, "frame") if chart.name == "cost"]
    assert chart.axes == ("train minutes", "clips a second in training", "parameters, millions")
    assert [trace.meta["run"] for trace in chart.figure.data] == [0, 2, 3]


def test_categories_go_from_the_hardest_up(study: Callable[..., Report]) -> None:
    figure = drawn(study(cells=2))["categories"].figure
    means = {name: [] for name in figure.layout.yaxis.categoryarray}
    for trace in figure.data:
        for value, name in zip(trace.x, trace.y):
            means[name].append(value)
    assert list(means) == sorted(means, key=lambda name: sum(means[name]))
    assert "race car" in means


def test_a_run_by_itself_has_no_cost_to_compare(study: Callable[..., Report]) -> None:
    report = study(cells=1)
    assert "cost" in drawn(report)
    assert "cost" not in drawn(replace(report, runs=report.runs[:1]))


def test_few_epochs_are_counted_in_whole_numbers(study: Callable[..., Report]) -> None:
    for epochs, step in ((12, 1), (13, None)):
        report = study(cells=1, epochs=epochs, name=str(epochs))
        assert drawn(report)["loss"].figure.layout.xaxis.dtick == step


def test_nothing_to_show_is_no_chart(study: Callable[..., Report]) -> None:
    assert charts(read_results(study(cells=0).runs), "frame") == []


def test_names_are_text_to_plotly(study: Callable[..., Report]) -> None:
    report = study(cells=1, category="<a href='javascript:alert(1)'>x</a>")
    report.runs[0] = replace(report.runs[0], name="<b>bold</b>")
    found = drawn(report)
    assert found["loss"].figure.data[0].name == "&lt;b&gt;bold&lt;/b&gt;"
    assert all("<" not in name for name in found["categories"].figure.data[0].y)
