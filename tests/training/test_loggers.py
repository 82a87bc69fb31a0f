"""The loggers of a run: W&B ends with it, leaves nothing where it is not wanted, and says why it cannot start."""

from collections.abc import Callable
from pathlib import Path

import pytest

OFFLINE = ["trainer.max_epochs=1"]


def test_two_runs_in_one_process_are_two_wandb_runs(
    no_key: Path, avs: Callable, tiny: list[str], tmp_path: Path
) -> None:
    import wandb

    pictures = {"one": "callbacks.pictures.clips=1", "two": "callbacks.pictures.clips=0"}
    names = {}
    for name, drawn in pictures.items():
        folder = tmp_path / name
        ended = avs("train", *tiny, *OFFLINE, drawn, f"paths.output_dir={folder}")
        assert ended.code == 0, ended.err
        names[name] = (folder / "wandb_id.txt").read_text()
        (run,) = (folder / "wandb").glob("offline-run-*")
        assert f"wandb sync {run}" in ended.out.replace("\n", "")
        assert (run / f"run-{names[name]}.wandb").stat().st_size > 0
        assert wandb.run is None  # finished
    assert names["one"] != names["two"]
    media = list((tmp_path / "one" / "wandb").rglob("media/images/test_clips/*.png"))
    assert len(media) == 5  # a second each
    assert list((tmp_path / "one" / "wandb").rglob("media/audio/test_clips/*.wav"))


def test_disabled_it_leaves_nothing(no_key: Path, avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    ended = avs("train", *tiny, *OFFLINE, "logger.wandb.mode=disabled", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    assert not list((tmp_path / "run").glob("wandb*"))
    assert (tmp_path / "run" / "metrics.csv").exists()


def test_a_server_that_does_not_answer(
    no_key: Path, avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def refuse(**options: object) -> None:
        raise wandb.errors.CommError("the server does not answer")

    monkeypatch.setattr(wandb, "init", refuse)
    ended = avs("train", *tiny, *OFFLINE, "logger.wandb.mode=online", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 1
    message = " ".join(ended.err.split())
    assert "W&B (online) cannot be started: the server does not answer" in message
    assert "logger.wandb.mode=offline" in message


def test_of_two_processes_the_first_has_the_wandb_run(
    no_key: Path, avs_process: Callable, tiny: list[str], tmp_path: Path
) -> None:
    settings = [*OFFLINE, "trainer.devices=2", "callbacks.pictures.clips=1", f"paths.output_dir={tmp_path}/run"]
    ended = avs_process("train", *tiny, *settings)
    assert ended.code == 0, ended.err
    assert ended.out.count("wandb sync ") == 1
    (run,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    name = (tmp_path / "run" / "wandb_id.txt").read_text()
    assert (run / f"run-{name}.wandb").stat().st_size > 0
    assert not list(tmp_path.glob("wandb")), "the second process has started one of its own"
