"""metrics.csv: whole after a kill, continued after a resume."""

from pathlib import Path

import pandas as pd
import pytest

from avs_lightning.training.metrics_csv import MetricsCSV


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.csv"


def test_one_row_a_step_one_column_a_metric(path: Path) -> None:
    log = MetricsCSV(path)
    log.log_metrics({"train/loss": 0.5, "epoch": 0}, step=0)
    log.log_metrics({"train/loss": 0.25, "epoch": 0}, step=1)
    log.log_metrics({"val/miou_frame": 1 / 3, "epoch": 0}, step=1)
    table = pd.read_csv(path)
    assert list(table.columns) == ["step", "epoch", "train/loss", "val/miou_frame"]
    assert list(table["train/loss"]) == [0.5, 0.25]
    assert table["val/miou_frame"][1] == 1 / 3  # all digits
    assert pd.isna(table["val/miou_frame"][0])


def test_scores_and_epoch_means_are_on_disk_at_once_and_steps_now_and_then(path: Path) -> None:
    log = MetricsCSV(path, flush_every=3)
    log.log_metrics({"train/loss_step": 1.0}, step=0)
    assert not path.exists()
    log.log_metrics({"val/miou_frame": 0.5}, step=0)
    assert len(pd.read_csv(path)) == 1
    log.log_metrics({"train/loss_epoch": 0.5}, step=1)
    assert len(pd.read_csv(path)) == 2
    for step in (2, 3):
        log.log_metrics({"train/loss_step": 1.0}, step=step)
    assert len(pd.read_csv(path)) == 2
    log.log_metrics({"train/loss_step": 1.0}, step=4)
    assert len(pd.read_csv(path)) == 5
    log.log_metrics({"train/loss_step": 1.0}, step=5)
    log.finalize("success")
    assert len(pd.read_csv(path)) == 6


def test_a_resumed_run_drops_what_it_computes_again(path: Path) -> None:
    first = MetricsCSV(path)
    for step in range(5):
        first.log_metrics({"train/loss": float(step), "val/miou_frame": 0.1}, step=step)
    second = MetricsCSV(path)
    second.log_metrics({"train/loss": 30.0}, step=3)
    second.finalize("success")
    table = pd.read_csv(path)
    assert list(table["step"]) == [0, 1, 2, 3]
    assert list(table["train/loss"]) == [0, 1, 2, 30]
    assert list(table["val/miou_frame"].isna()) == [False, False, False, True]


def test_a_resumed_run_writes_the_rows_before_as_they_were(path: Path) -> None:
    numbers = {"epoch": 0, "train/loss": 0.1234567890123456789, "lr": 1e-4 / 3}
    MetricsCSV(path).log_metrics({**numbers, "val/miou_frame": 2 / 3}, step=0)
    before = path.read_text()
    second = MetricsCSV(path)
    second.log_metrics({"val/miou_frame": 0.5}, step=1)
    assert path.read_text().splitlines()[:2] == before.splitlines()


def test_a_run_that_logs_nothing_leaves_the_file(path: Path) -> None:
    path.write_text("step,loss\n0,1.0\n")
    MetricsCSV(path).finalize("failed")
    assert path.read_text() == "step,loss\n0,1.0\n"
