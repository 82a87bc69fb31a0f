"""How far a run is, for whoever waits for it."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytorch_lightning.trainer.states import TrainerFn

from avs_lightning.data import ClipDataModule
from avs_lightning.run import Run
from avs_lightning.training import progress
from avs_lightning.training.progress import RunProgress


class Clips(ClipDataModule):
    """20 clips to train on, 12 to validate, 8 to test."""

    classes, frames, synthetic = ("background", "sounding"), 5, True

    def build_dataset(self, split: str) -> Any:
        return [0] * {"train": 20, "val": 12, "test": 8}[split]


def trainer(folder: Path, rank: int = 0) -> Any:
    """Two epochs of 10 steps on 20 clips, with 12 val clips; then 8 test clips in batches of 2, for each set."""
    return SimpleNamespace(
        is_global_zero=rank == 0,
        datamodule=Clips("few", folder),
        default_root_dir=str(folder),
        max_epochs=2,
        current_epoch=0,
        check_val_every_n_epoch=1,
        estimated_stepping_batches=20,
        global_step=0,
        num_test_batches=[4, 4, 4],
        state=SimpleNamespace(fn=TrainerFn.FITTING),
    )


def test_it_grows_from_none_to_all_in_the_shares_of_the_work(tmp_path: Path) -> None:
    run, callback = trainer(tmp_path), RunProgress(test_sets=3, interval=0)
    training = 2 * (3 * 20 + 12) / (2 * (3 * 20 + 12) + 3 * 8)
    callback.on_train_start(run, None)  # type: ignore[arg-type]
    seen = [Run(tmp_path).progress]
    for step in range(1, 21):
        run.global_step, run.current_epoch = step, (step - 1) // 10
        callback._next = 0.0
        callback.on_train_batch_end(run)
        callback.on_validation_batch_end(run)
        seen.append(Run(tmp_path).progress)
    callback.on_test_start(run, None)  # type: ignore[arg-type]
    seen.append(Run(tmp_path).progress)
    for _ in range(12):
        callback._next = 0.0
        callback.on_test_batch_end(run)
        seen.append(Run(tmp_path).progress)
    found = [s.fraction for s in seen if s]
    assert len(found) == len(seen)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert found[20] == found[21] == pytest.approx(training, abs=1e-3)
    assert [s.phase for s in seen if s] == ["train"] * 21 + ["test"] * 13
    assert seen[15] is not None
    assert (seen[15].epoch, seen[15].epochs) == (2, 2)
    assert not list(tmp_path.glob("*.part"))


def test_it_is_seldom_written_and_by_the_first_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(value=10.0)
    clock = SimpleNamespace(perf_counter=lambda: now.value, time=lambda: now.value)
    monkeypatch.setattr(progress, "time", clock)
    run, callback = trainer(tmp_path), RunProgress()
    callback.on_test_start(run, None)  # type: ignore[arg-type]
    for wait, written in ((0.5, 10.0), (0.4, 10.0), (0.2, 11.1)):
        now.value += wait
        callback.on_test_batch_end(run)
        content = Run(tmp_path).progress
        assert content is not None
        assert content.updated == pytest.approx(written)
    (tmp_path / "progress.json").unlink()
    RunProgress().on_test_start(trainer(tmp_path, rank=1), None)  # type: ignore[arg-type]
    assert Run(tmp_path).progress is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    RunProgress().on_test_start(trainer(tmp_path / "gone"), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["", '{"fraction": 0.', "[]", "{}", "\x00\x01"])
def test_damaged_files_say_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "progress.json").write_text(content)
    assert Run(tmp_path).progress is None


SEE = """
from pathlib import Path
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.training.progress import RunProgress
whole = RunProgress._write
def seen(self, *args, **kwargs):
    self._next = 0.0
    whole(self, *args, **kwargs)
    with Path("seen.txt").open("a") as file:
        file.write((Path(args[0].default_root_dir) / "progress.json").read_text() + "\\n")
RunProgress._write = seen
"""


def test_a_run_says_how_far_it_is_and_ends_silent(avs_process: Callable, tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    ended = avs_process("train", *tiny, "probes=muted", f"paths.output_dir={folder}", before=SEE)
    assert ended.code == 0, ended.err
    seen = [json.loads(line) for line in (tmp_path / "seen.txt").read_text().splitlines()]
    fractions = [content["fraction"] for content in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    phases = [content["phase"] for content in seen]
    assert phases == sorted(phases, reverse=True)
    assert set(phases) == {"train", "test"}
    assert not (folder / "progress.json").exists()
