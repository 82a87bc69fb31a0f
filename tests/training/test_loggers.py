"""W&B: when it is used, that it ends with its run, and under which name it goes on."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from avs_lightning.errors import UserError
from avs_lightning.training.loggers import has_key, wandb_mode

OFFLINE = ["logger=wandb", "logger.wandb.mode=offline", "trainer.max_epochs=1", "probes=null"]


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without W&B's key; returns where its .netrc would be."""
    for name in [name for name in os.environ if name.startswith("WANDB_") or name == "NETRC"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".netrc"


def test_without_a_key_it_is_offline(no_key: Path) -> None:
    assert not has_key()
    assert wandb_mode(None) == "offline"


def test_a_key_in_the_environment(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert wandb_mode(None) == "online"


def test_a_key_in_netrc(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_key.write_text("machine elsewhere.org login user password x\n")
    no_key.chmod(0o600)
    assert not has_key()
    no_key.write_text("machine api.wandb.ai login user password x\n")
    assert wandb_mode(None) == "online"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert wandb_mode(None) == "offline"
    elsewhere = no_key.with_name("keys")
    elsewhere.write_text("machine wandb.example.org login user password x\n")
    monkeypatch.setenv("NETRC", str(elsewhere))
    assert wandb_mode(None) == "online"


def test_a_broken_netrc_is_no_key(no_key: Path) -> None:
    no_key.write_text("nonsense here\n")
    assert not has_key()


def test_the_setting_is_stronger_than_the_environment_and_both_than_a_key(
    no_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode(None) == "disabled"
    assert wandb_mode("offline") == "offline"
    with pytest.raises(UserError, match="online, offline, disabled"):
        wandb_mode("dryrun")


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
