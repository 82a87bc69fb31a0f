"""W&B: when it is used, under which id it goes on, and what its offline files hold, as W&B's own reader finds it."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import wandb
from omegaconf import OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.run import Run
from avs_lightning.training.record import open_run
from avs_lightning.training.wandb_run import start_wandb, wandb_mode

KEY = 40 * "0"


def test_without_a_key_it_is_offline(no_key: Path) -> None:
    assert wandb_mode(None) == "offline"


@pytest.mark.parametrize("server", [None, "http://localhost:8080", "https://wandb.example.org"])
def test_who_has_logged_in_is_online(
    no_key: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], server: str | None
) -> None:
    login = [sys.executable, "-m", "wandb", "login", "--no-verify", *([f"--host={server}"] if server else []), KEY]
    subprocess.run(login, capture_output=True, check=True)
    capfd.readouterr()
    assert wandb_mode(None) == "online"
    assert capfd.readouterr() == ("", "")


def test_a_key_for_another_server_is_none(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_key.write_text(f"machine elsewhere.org login user password {KEY}\n")
    no_key.chmod(0o600)
    assert wandb_mode(None) == "offline"
    elsewhere = no_key.with_name("keys")
    no_key.rename(elsewhere)
    monkeypatch.setenv("NETRC", str(elsewhere))
    monkeypatch.setenv("WANDB_BASE_URL", "https://elsewhere.org")
    wandb.teardown()
    assert wandb_mode(None) == "online"


def test_a_key_in_the_environment(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert wandb_mode(None) == "online"
    monkeypatch.setenv("WANDB_API_KEY", "short")
    wandb.teardown()
    with pytest.raises(UserError, match="WANDB_API_KEY"):
        wandb_mode(None)


def test_a_broken_netrc_is_no_key(no_key: Path) -> None:
    no_key.write_text("nonsense here\n")
    assert wandb_mode(None) == "offline"


def test_the_setting_is_stronger_than_the_environment_and_both_than_a_key(
    no_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode(None) == "disabled"
    assert wandb_mode("offline") == "offline"


@dataclass
class OfflineRun:
    """A finished run: its folder, W&B's folder in it, and the records in that one's file."""

    folder: Path
    wandb: Path
    records: list[dict[str, Any]]

    def kind(self, kind: str) -> list[dict[str, Any]]:
        return [record[kind] for record in self.records if record["type"] == kind]

    @property
    def history(self) -> list[dict[str, Any]]:
        return [record["item"] for record in self.kind("history")]

    def values(self, name: str) -> list[Any]:
        return [row[name] for row in self.history if name in row]

    @property
    def summary(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for record in self.kind("summary"):
            merged |= record["update"]
        return merged

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return {record.get("name") or record["glob_name"]: record for record in self.kind("metric")}


def read_offline(folder: Path) -> list[dict[str, Any]]:
    """The records of an offline run's file, by the reader that W&B ships."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", folder]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in read.stdout.splitlines()]


MADE: list[OfflineRun] = []


@pytest.fixture
def offline_run(no_key: Path, avs: Callable, tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> OfflineRun:
    """Two epochs and a test with a probe, as a study would start them; made once, read only."""
    if not MADE:
        folder = tmp_path_factory.mktemp("dashboard") / "run"
        tags = f"[a,'fusion=stage4','{'x' * 70}']"
        dashboard = ["group=stages", "name=stage4", "notes=tried", "mode=offline", f"tags={tags}", "log_model=true"]
        settings = ["logger=wandb", *(f"logger.wandb.{setting}" for setting in dashboard)]
        pictures = ["callbacks.pictures.clips=1", "callbacks.pictures.every_n_epochs=1"]
        ended = avs("train", *tiny, *settings, *pictures, "probes=[muted]", f"paths.output_dir={folder}")
        assert ended.code == 0, ended.err
        (run,) = (folder / "wandb").glob("offline-run-*")
        assert f"wandb sync {run}" in ended.out.replace("\n", "")
        MADE.append(OfflineRun(folder, run, read_offline(run)))
    return MADE[0]


def test_the_run_says_what_it_is(offline_run: OfflineRun) -> None:
    (run,) = offline_run.kind("run")
    assert run["run_id"] == (offline_run.folder / "wandb_id.txt").read_text()
    assert (run["display_name"], run["run_group"], run["job_type"]) == ("stage4", "stages", "train")
    assert (run["project"], run["notes"]) == ("avs-lightning", "tried")
    assert run["tags"] == ["a", "fusion=stage4", "x" * 64]  # W&B refuses longer ones
    assert [exited.get("exit_code", 0) for exited in offline_run.kind("exit")] == [0]  # once


def test_the_configuration_is_the_resolved_one(offline_run: OfflineRun) -> None:
    (run,) = offline_run.kind("run")
    config = {name: value for name, value in run["config"]["update"].items() if name != "_wandb"}
    environment = json.loads((offline_run.folder / "environment.json").read_text())
    assert shlex.split(config.pop("command")) == environment["command"]
    assert config.pop("commit") == environment["code"].get("commit")
    assert config == OmegaConf.to_container(OmegaConf.load(offline_run.folder / "config.yaml"))
    assert config["encoder"]["name"] == "test_resnet"
    later = [name.split(".")[0] for record in offline_run.kind("config") for name in record["update"]]
    # Lightning would add the method's arguments once more
    assert set(later) <= {*config, "command", "commit", "fingerprint", "synthetic", "_wandb"}


def test_the_configuration_says_which_data_it_was(offline_run: OfflineRun) -> None:
    results = json.loads((offline_run.folder / "metrics.json").read_text())
    said: dict[str, Any] = {}
    for record in offline_run.kind("config"):
        said |= record["update"]
    assert (said["fingerprint"], said["synthetic"]) == (results["fingerprint"], False)
    assert len(results["fingerprint"]) == 12


def test_the_best_checkpoint_is_an_artifact(offline_run: OfflineRun) -> None:
    (model,) = (artifact for artifact in offline_run.kind("artifact") if artifact["type"] == "model")
    run_id = (offline_run.folder / "wandb_id.txt").read_text()
    assert (model["name"], sorted(model["aliases"])) == (f"model-{run_id}", ["best", "latest"])
    (entry,) = model["manifest"]["contents"]
    assert entry["path"] == "best.ckpt"
    assert Path(entry["local_path"]).is_relative_to(offline_run.folder / "wandb")
    best = (offline_run.folder / "checkpoints" / "best.ckpt").read_bytes()
    assert Path(entry["local_path"]).read_bytes() == best


def test_curves_have_their_axes(offline_run: OfflineRun) -> None:
    assert len(offline_run.values("train/loss_step")) == 2 * 3
    assert len(offline_run.values("train/gradient_norm")) == 2 * 3
    assert len(offline_run.values("val/miou_frame")) == 2
    for name in ("lr-Adam", "train/loss_epoch", "cost/clips_per_second", "cost/peak_memory_mib"):
        assert len(offline_run.values(name)) >= 2, name
    for second in range(1, 6):
        assert len(offline_run.values(f"val/miou_second_{second}")) == 2
    axes = {name: metric.get("step_metric") for name, metric in offline_run.metrics.items()}
    assert axes["train/*"] == axes["train/loss_step"] == axes["lr-*"] == "trainer/global_step"
    assert axes["val/miou_*"] == axes["val/fscore_*"] == axes["cost/*"] == "epoch"
    for row in offline_run.history:
        assert "epoch" in row or not {"val/miou_frame", "cost/clips_per_second"} & row.keys()
    hidden = {name for name, metric in offline_run.metrics.items() if metric["options"].get("hidden")}
    assert {"epoch", "trainer/global_step", "test/*", "test_muted/*"} <= hidden


def test_the_summary_has_the_best_epoch_the_test_scores_and_the_cost(offline_run: OfflineRun) -> None:
    summary, results = offline_run.summary, json.loads((offline_run.folder / "metrics.json").read_text())
    for name in ("val/miou_frame", "val/fscore_reference", "val/miou_second_3"):
        assert summary[name] == {"max": max(offline_run.values(name))}
    for name in ("train/loss_step", "train/loss_epoch"):
        assert summary[name] == {"min": min(offline_run.values(name))}
    assert set(results["scores"]) == {"true", "muted"}
    for sounds, prefix in (("true", "test"), ("muted", "test_muted")):
        for name, value in results["scores"][sounds].items():
            assert summary[f"{prefix}/{name}"] == pytest.approx(value)
    assert summary["best/val_miou_frame"] == results["best"]["val_miou_frame"]
    assert summary["cost/parameters"] == results["cost"]["parameters"]


def test_clips_are_shown_at_every_epoch_and_heard_once(offline_run: OfflineRun) -> None:
    files = offline_run.wandb / "files"
    for split, times in (("val", 2), ("test", 1)):
        pictures = offline_run.values(f"{split}_clips/0.filenames")
        assert [len(frames) for frames in pictures] == [5] * times  # a second each
        for frames, masks in zip(pictures, offline_run.values(f"{split}_clips/0.all_masks")):
            assert all((files / frame).stat().st_size for frame in frames)
            assert all(set(over) == {"ground truth", "prediction", "muted"} for over in masks)
            assert all((files / mask["path"]).stat().st_size for over in masks for mask in over.values())
        captions = {tuple(shown) for shown in offline_run.values(f"{split}_clips/0.captions")}
        assert len(captions) == 1  # the same clip
        (sound,) = offline_run.values(f"{split}_clips/0_sound.path")
        assert (files / sound).stat().st_size > 5 * 16_000


def test_tables_and_charts_lie_with_the_run(offline_run: OfflineRun) -> None:
    staged = {}
    for artifact in (found for found in offline_run.kind("artifact") if found["type"] != "model"):
        contents = artifact["manifest"]["contents"]
        staged[artifact["name"].split("-", 2)[2]] = contents
        for entry in contents:
            assert Path(entry["local_path"]).is_relative_to(offline_run.folder)
            assert Path(entry["local_path"]).stat().st_size == int(entry["size"])
    assert any("miou_by_sound" in name for name in staged)
    assert any("iou_by_second" in name for name in staged)
    clips = json.loads((offline_run.folder / "clips" / "index.json").read_text())
    (table,) = (entry for entry in staged["test_clips"] if entry["path"] == "test_clips.table.json")
    rows = json.loads(Path(table["local_path"]).read_text())["data"]
    assert [row[0] for row in rows] == [clip["id"] for clip in clips]
    kinds = [Path(entry["path"]) for entry in staged["test_clips"]]
    assert any("images/mask" in str(path) for path in kinds)
    assert any(path.suffix == ".jpg" for path in kinds)
    assert any("audio" in str(path) for path in kinds)
    assert offline_run.summary["test_clips_all.nrows"] == 3


def test_the_environment_names_the_run(no_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = OmegaConf.create({"name": "a", "logger": {"wandb": {"project": "p"}}})
    monkeypatch.setenv("WANDB_RUN_ID", "given123")
    open_run(Run(tmp_path), cfg)
    for _ in range(2):  # also where another id is kept
        run = start_wandb(cfg, tmp_path, "offline")
        run.finish()
        assert run.id == (tmp_path / "wandb_id.txt").read_text() == "given123"
        (tmp_path / "wandb_id.txt").write_text("kept4567")
    monkeypatch.delenv("WANDB_RUN_ID")
    run = start_wandb(cfg, tmp_path, "offline")
    run.finish()
    assert run.id == "kept4567"


def test_an_evaluation_is_told_from_a_training(no_key: Path, tmp_path: Path) -> None:
    cfg = OmegaConf.create({"name": "a", "checkpoint": "a.ckpt", "split": "val", "logger": {"wandb": {"project": "p"}}})
    open_run(Run(tmp_path), cfg)
    start_wandb(cfg, tmp_path, "offline").finish()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    run = OfflineRun(tmp_path, folder, read_offline(folder))
    assert run.kind("run")[0]["job_type"] == "eval"
    assert "val_muted/*" in run.metrics
    assert "train/*" not in run.metrics
