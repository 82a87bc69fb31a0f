"""Runs that are stopped and go on: the same folder, and to the last digit what an uninterrupted run computes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from avs_lightning.run import Run

STOP_AT_STEP = """
import os, signal
from avs_lightning.methods.avs import AVSMethod
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
whole = AVSMethod.{hook}
def stopped(self, batch, index, *more):
    if self.global_step == {step} and index == {index}:
        os.kill(os.getpid(), signal.{signal})
    return whole(self, batch, index, *more)
AVSMethod.{hook} = stopped
"""
KILL_WHILE_WRITING = """
import os, signal
import torch
whole, written = torch.save, []
def stopped(content, file):
    written.append(file.name)
    if len(written) == 4:  # after the first last.ckpt, and best and last of the first epoch
        file.write(b"half of it")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(content, file)
torch.save = stopped
"""
MOMENTS = {
    "in the middle of the second epoch": STOP_AT_STEP.format(hook="training_step", step=4, index=1, signal="SIGKILL"),
    "while a checkpoint is written": KILL_WHILE_WRITING,
    "in the test": STOP_AT_STEP.format(hook="test_step", step=6, index=1, signal="SIGKILL"),
}


@pytest.mark.parametrize("moment", [*list(MOMENTS)[:2], pytest.param("in the test", marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_to_the_same_result(
    avs: Callable,
    avs_process: Callable,
    tiny: list[str],
    tiny_run: Path,
    tmp_path: Path,
    differences: Callable,
    moment: str,
) -> None:
    folder = tmp_path / "run"
    killed = avs_process("train", *tiny, f"paths.output_dir={folder}", before=MOMENTS[moment])
    assert killed.code == -9, killed.err
    assert not (folder / "metrics.json").exists()
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == (moment == "in the test")

    ended = avs("train", f"resume={folder}")
    assert ended.code == 0, ended.err
    assert not differences(folder, tiny_run)
    assert not list(folder.rglob("*.part"))


def test_a_killed_run_goes_on_in_its_wandb_run(
    avs: Callable, avs_process: Callable, tiny: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    middle = MOMENTS["in the middle of the second epoch"]
    assert avs_process("train", *tiny, f"paths.output_dir={folder}", before=middle).code == -9
    name = (folder / "wandb_id.txt").read_text()
    ended = avs("train", f"resume={folder}")
    assert ended.code == 0, ended.err
    assert (folder / "wandb_id.txt").read_text() == name
    parts = sorted((folder / "wandb").glob(f"offline-run-*-{name}"))
    assert len(parts) == 2
    assert f"wandb sync {parts[0]} {parts[1]}" in ended.out.replace("\n", " ")


@pytest.mark.parametrize("signal", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    avs: Callable, avs_process: Callable, tiny: list[str], tmp_path: Path, scores_in: Callable, signal: str
) -> None:
    folder = tmp_path / "run"
    stop = STOP_AT_STEP.format(hook="training_step", step=4, index=1, signal=signal)
    ended = avs_process("train", *tiny, f"paths.output_dir={folder}", before=stop)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    left = folder / "checkpoints" / "interrupted.ckpt"
    message = " ".join(ended.err.split())
    assert f"avs train resume={folder} goes on" in message
    assert f"avs eval checkpoint={left}" in message
    assert message.startswith("avs: error: stopped; ")
    assert "stopped; avs train resume=" in (folder / "run.log").read_text()
    assert torch.load(left, weights_only=True)["global_step"] in (4, 5)
    ended = avs("eval", f"checkpoint={left}", f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 0, ended.err
    assert 0 <= scores_in(tmp_path / "eval")["true"]["miou_frame"] <= 1


def test_a_finished_run_shows_its_results(avs: Callable, tiny_run: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")}
    ended = avs("train", f"resume={tiny_run}")
    assert ended.code == 0
    assert f"{tiny_run} is done" in ended.out.replace("\n", "")
    assert "test split, best checkpoint" in ended.out
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")} == files


def test_a_finished_run_takes_more_epochs(
    avs: Callable, tiny: list[str], tmp_path: Path, differences: Callable
) -> None:
    folders = {epochs: tmp_path / str(epochs) for epochs in (1, 3)}
    for epochs, folder in folders.items():
        assert avs("train", *tiny, f"trainer.max_epochs={epochs}", f"paths.output_dir={folder}").code == 0
    ended = avs("train", f"resume={folders[1]}", "trainer.max_epochs=3")
    assert ended.code == 0, ended.err
    assert not differences(folders[1], folders[3])


def test_a_run_without_validated_epochs_in_its_last_part_goes_on(
    avs: Callable, tiny: list[str], tmp_path: Path, differences: Callable
) -> None:
    every = ["trainer.check_val_every_n_epoch=2"]
    folders = {epochs: tmp_path / str(epochs) for epochs in (3, 5)}
    for epochs, folder in folders.items():
        assert avs("train", *tiny, *every, f"trainer.max_epochs={epochs}", f"paths.output_dir={folder}").code == 0
    assert avs("train", f"resume={folders[3]}", "trainer.max_epochs=5").code == 0
    assert not differences(folders[3], folders[5])


def test_results_that_are_still_wanted_are_computed(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    short = ["trainer.max_epochs=1", "test=false", f"paths.output_dir={folder}"]
    assert avs("train", *tiny, *short).code == 0
    ended = avs("train", f"resume={folder}", "test=true", "probes=[muted]")
    assert ended.code == 0, ended.err
    assert "silence" in ended.out


def test_damaged_results_are_made_again(avs: Callable, tiny: list[str], tmp_path: Path, scores_in: Callable) -> None:
    folder = tmp_path / "run"
    assert avs("train", *tiny, "trainer.max_epochs=1", "probes=none", f"paths.output_dir={folder}").code == 0
    scores, text = scores_in(folder), (folder / "metrics.json").read_text()
    (folder / "metrics.json").write_text(text[: len(text) // 2])
    ended = avs("train", f"resume={folder}")
    assert ended.code == 0, ended.err
    assert "metrics.json is damaged: the test is done again" in ended.out.replace("\n", "")
    assert scores_in(folder) == scores


def test_a_folder_in_which_a_run_goes_on_is_left_alone(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Run(folder).locked():
        ended = avs("train", *tiny, f"paths.output_dir={folder}")
        assert ended.code == 1
        assert f"{folder} is in use: another process is writing a run there" in ended.err
        assert [path.name for path in folder.iterdir()] == [".lock"]
    assert avs("train", *tiny, "trainer.max_epochs=1", "test=false", f"paths.output_dir={folder}").code == 0
    assert not Run(folder).is_locked()


def test_a_damaged_or_foreign_checkpoint_does_not_go_on(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert avs("train", *tiny, "trainer.max_epochs=1", "test=false", f"paths.output_dir={folder}").code == 0
    config = folder / "config.yaml"
    own = config.read_text()
    config.write_text(own.replace("channels: 16", "channels: 8"))
    ended = avs("train", f"resume={folder}", "trainer.max_epochs=2")
    config.write_text(own)
    assert ended.code == 1
    assert "last.ckpt is a checkpoint of another architecture" in ended.err
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"cut short")
    ended = avs("train", f"resume={folder}", "trainer.max_epochs=2")
    assert ended.code == 1
    assert "last.ckpt cannot be read as a checkpoint" in ended.err
