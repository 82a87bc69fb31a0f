"""`avs train` through to its results: what a run computes by each choice, and what it leaves in its folder."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from avs_lightning.data import MS3DataModule
from avs_lightning.data.fingerprint import dataset_fingerprint

SHORT = ["trainer.max_epochs=1"]
PROTOCOLS = ("reference", "frame", "dataset")


def test_what_a_run_leaves_behind(tiny_run: Path) -> None:
    config = yaml.safe_load((tiny_run / "config.yaml").read_text())
    assert config["paths"]["output_dir"] == str(tiny_run)
    assert config["encoder"]["name"] == "test_resnet"
    assert config["label"] == "test_resnet_stages1234"  # resolved
    environment = json.loads((tiny_run / "environment.json").read_text())
    assert environment["code"]["version"]
    assert len(environment["code"]["sources"]) == 12
    assert torch.__version__.startswith(environment["packages"]["torch"])
    assert "`Trainer.fit` stopped" in (tiny_run / "run.log").read_text()
    assert {path.name for path in (tiny_run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert not list(tiny_run.rglob("*.part"))


@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints_hold_plain_values_only(tiny_run: Path, name: str) -> None:
    content = torch.load(tiny_run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert content["avs_method"] == "avs_lightning.methods.avs.method.AVSMethod"
    assert content["avs_datamodule"] == "avs_lightning.data.avsbench_ms3.MS3DataModule"
    assert content["hyper_parameters"]["encoder"]["name"] == "test_resnet"


def test_scores_of_five_sounds_by_three_protocols(tiny_run: Path) -> None:
    result = json.loads((tiny_run / "metrics.json").read_text())
    assert result["epochs"] == 2
    assert result["steps"] == 6  # five clips in batches of two
    assert list(result["scores"]) == ["true", "muted", "noise", "swapped", "permuted"]
    for scores in result["scores"].values():
        for name in [f"{metric}_{protocol}" for metric in ("miou", "fscore") for protocol in PROTOCOLS]:
            assert 0 <= scores[name] <= 1
        assert 0 <= scores["false_positive_rate"] <= 1
        assert {f"miou_second_{i}" for i in range(1, 6)} <= scores.keys()


def test_results_say_where_they_come_from(tiny_run: Path) -> None:
    result = json.loads((tiny_run / "metrics.json").read_text())
    config = yaml.safe_load((tiny_run / "config.yaml").read_text())
    data = MS3DataModule(**{name: value for name, value in config["data"].items() if name != "_target_"})
    assert result["fingerprint"] == dataset_fingerprint(data)
    assert result["code"] == json.loads((tiny_run / "environment.json").read_text())["code"]
    best = torch.load(tiny_run / "checkpoints" / "best.ckpt", weights_only=True)
    rows = pd.read_csv(tiny_run / "metrics.csv").set_index("epoch")["val/miou_frame"].dropna()
    assert result["best"]["epoch"] == best["epoch"] + 1 == rows.idxmax()
    assert result["best"]["val_miou_frame"] == pytest.approx(rows.max())


def test_the_log_has_the_command_a_line_an_epoch_and_the_scores(tiny_run: Path) -> None:
    text = (tiny_run / "run.log").read_text()
    assert ": avs train data=ms3" in text
    lines = [line.partition("Epoch ")[2] for line in text.splitlines() if "Epoch " in line]
    assert [line.partition(":")[0] for line in lines] == ["1/2", "2/2"]
    for words in ("loss", "val mIoU", "best", "clips/s"):
        assert all(words in line for line in lines)
    assert "its own sound" in text
    assert text.count("Everything is in") == 1
    for noise in ("litlogger", "GPU available", "does not have many workers", "is deprecated"):
        assert noise not in text


def test_a_limited_test_says_so(avs: Callable, tiny: list[str], tmp_path: Path, scores_in: Callable) -> None:
    ended = avs(
        "train", *tiny, "trainer.max_epochs=1", "trainer.limit_test_batches=1", f"paths.output_dir={tmp_path}/r"
    )
    assert ended.code == 0, ended.err
    assert "2 of 3 clips" in ended.out
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["clips"] == {"scored": 2, "split": 3}


def test_clips_are_kept_with_their_scores(tiny_run: Path) -> None:
    result = json.loads((tiny_run / "metrics.json").read_text())
    rows = pd.read_csv(tiny_run / "clips.csv")
    assert len(rows) == 3
    assert rows["miou"].mean() == pytest.approx(result["scores"]["true"]["miou_frame"], abs=1e-5)
    entries = json.loads((tiny_run / "clips" / "index.json").read_text())
    assert [entry["why"] for entry in entries] == ["worst", "best", "random"]
    assert entries[0]["miou"] == pytest.approx(rows["miou"].min())
    for entry in entries:
        for name in [*entry["frames"], *entry["truth"], *entry["prediction"], *entry["muted"], entry["sound"]]:
            assert (tiny_run / "clips" / name).stat().st_size


def test_metrics_csv_has_every_epoch(tiny_run: Path) -> None:
    with (tiny_run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(7))  # six steps, and the test
    scored = [row for row in rows if row["val/miou_frame"]]
    assert [row["epoch"] for row in scored] == ["1", "2"]
    assert all(row["train/loss_epoch"] and row["train/bce_epoch"] and row["train/avm_epoch"] for row in scored)
    assert all(row["train/loss_step"] and row["lr-Adam"] for row in rows[:-1])
    assert rows[-1]["test/fscore_reference"]
    assert rows[-1]["test_permuted/miou_dataset"]


def test_the_network_and_the_closing_table_are_printed(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    ended = avs("train", *tiny, "trainer.max_epochs=1", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    before, closing = ended.out.split("test split, best checkpoint")
    assert "network.encoder" in before
    assert "5×1×32×32" in before
    for words in (
        "mIoU %",
        " F ",
        "wrongly on %",
        *PROTOCOLS,
        "silence",
        "white noise",
        "another clip's",
        "permuted",
        "3 clips",
    ):
        assert words in closing
    assert f"Everything is in {tmp_path}/run" in closing
    assert ended.err == ""


def test_s4_in_the_official_layout(
    avs: Callable, tiny: list[str], tmp_path: Path, official_s4: Callable, scores_in: Callable
) -> None:
    root = official_s4(tmp_path, train=3, val=1, test=2)
    folder = tmp_path / "run"
    ended = avs("train", *tiny, "data=s4", f"data.root={root}", "trainer.max_epochs=1", f"paths.output_dir={folder}")
    assert ended.code == 0, ended.err
    assert len(scores_in(folder)) == 5
    assert "train/avm_epoch" not in (folder / "metrics.csv").read_text()  # S4's recipe is BCE alone


def test_synthetic_clips_are_written_on_first_use(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    synthetic = [
        "data=synthetic_ms3",
        f"data.root={tmp_path}/clips",
        "data.synthetic.clips={train: 2, val: 1, test: 1}",
        "data.synthetic.categories=3",
    ]
    for name in ("first", "second"):
        ended = avs("train", *tiny, *synthetic, *SHORT, f"paths.output_dir={tmp_path}/{name}")
        assert ended.code == 0, ended.err
    written = [path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.png")]
    assert len(written) >= 4 * 5 * 2
    assert max(written) < (tmp_path / "first" / "metrics.json").stat().st_mtime_ns


def test_a_relative_data_root_means_the_same_folder_from_anywhere(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    drawn = ["data=synthetic_ms3", "data.root=clips", "data.synthetic.clips={train: 2, val: 1, test: 1}"]
    ended = avs("train", *tiny, *drawn, *SHORT, "probes=none", "paths.output_dir=run")
    assert ended.code == 0, ended.err
    run = tmp_path / "here" / "run"
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["root"] == str(tmp_path / "here" / "clips")
    (run / "metrics.json").unlink()
    monkeypatch.chdir(tmp_path / "there")
    assert avs("train", f"resume={run}").code == 0
    assert avs("eval", f"checkpoint={run}/checkpoints/best.ckpt", "probes=none", "paths.output_dir=eval").code == 0
    assert {path.name for path in Path.cwd().iterdir()} == {"eval"}


def test_a_dry_run_writes_nothing(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = avs("train", *tiny, "dry_run=true", "paths.runs_dir=runs")
    assert ended.code == 0
    assert "One batch: 2 clips, bce" in ended.out
    assert not list(tmp_path.iterdir())


def test_backbones_that_are_built_for_one_size_are_built_for_the_frames(avs: Callable, tiny: list[str]) -> None:
    ended = avs("train", *tiny, "encoder=swin_tiny_patch4_window7_224", "encoder.weights=none", "dry_run=true")
    assert ended.code == 0, ended.err
    assert "5×96×8×8" in ended.out


def test_debug_fast_takes_two_batches_of_everything(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    options = [text for text in tiny if not text.startswith(("trainer.max_epochs", "callbacks", "logger"))]
    ended = avs("train", *options, "debug=fast", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["steps"] == 2
    assert [path.name for path in (tmp_path / "run" / "pictures").iterdir()] == ["test_0.png"]
    assert not (tmp_path / "run" / "wandb").exists()


def test_pictures_of_fixed_clips(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    drawn = ["callbacks.pictures.clips=2", "callbacks.pictures.every_n_epochs=2", "trainer.max_epochs=2"]
    assert avs("train", *tiny, *drawn, f"paths.output_dir={tmp_path}/run").code == 0
    names = sorted(path.name for path in (tmp_path / "run" / "pictures").iterdir())
    assert names == ["curves.png", "test_0.png", "test_1.png", "val_epoch_002_0.png", "val_epoch_002_1.png"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["fusion=none", "method.loss.project=true"],
        ["fusion=stages34", "method.loss.avm=visual"],
        ["fusion=stage4", "method.loss.avm=cosine", "method.loss.avm_stages=[4]"],
        ["fusion.scope=frame", "method.loss.avm_distance=euclidean"],
        ["fusion.audio=false", "fusion.visual=true", "method.loss.avm_weight=0"],
        ["fusion.visual=true", "method.loss.project=true", "fusion.stages=[2]"],
        ["trainer.precision=bf16-mixed"],
        ["trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.5"],
        ["optimizer=adamw", "+optimizer.betas=[0.8,0.9]", "schedule.name=cosine", "schedule.warmup_steps=2"],
        ["decoder=fpn"],
        ["encoder=test_convnext", "fusion=stage4"],
    ],
    ids=" ".join,
)
def test_choices_train(avs: Callable, tiny: list[str], tmp_path: Path, overrides: list[str]) -> None:
    ended = avs("train", *tiny, *SHORT, *overrides, "encoder.weights=none", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    with (tmp_path / "run" / "metrics.csv").open() as file:
        losses = [float(row["train/loss_step"]) for row in csv.DictReader(file) if row["train/loss_step"]]
    assert len(losses) in (2, 3)  # optimiser steps
    assert all(0 < loss < math.inf for loss in losses)


def test_gradients_are_accumulated(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    accumulate = "trainer.accumulate_grad_batches=2"
    assert avs("train", *tiny, *SHORT, accumulate, "test=false", f"paths.output_dir={tmp_path}/run").code == 0
    result = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert result["steps"] == 2  # three batches
    assert "scores" not in result


def test_the_schedule_is_over_the_whole_run(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    schedule = ["schedule.name=linear", "schedule.warmup_steps=2", "optimizer.lr=1e-3"]
    assert avs("train", *tiny, *schedule, "test=false", f"paths.output_dir={tmp_path}/run").code == 0
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rates = [float(row["lr-Adam"]) for row in csv.DictReader(file) if row["lr-Adam"]]
    assert rates == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 0.75e-3, 0.5e-3, 0.25e-3])


def test_a_frozen_encoder_stays_as_it_was(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert avs("train", *tiny, "encoder.frozen=true", "test=false", f"paths.output_dir={run}").code == 0
    entries = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    counted = {name: int(v) for name, v in entries.items() if name.endswith("num_batches_tracked")}
    assert {v for name, v in counted.items() if name.startswith("network.encoder.")} == {0}
    assert {v for name, v in counted.items() if name.startswith("network.fusion.")} == {6}
    means = [v for name, v in entries.items() if name.startswith("network.encoder.") and name.endswith("running_mean")]
    assert means
    assert not any(mean.any() for mean in means)


def test_the_best_epoch_is_one_that_was_validated(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    every = ["trainer.check_val_every_n_epoch=2", "trainer.max_epochs=3", "test=false"]
    assert avs("train", *tiny, *every, f"paths.output_dir={run}").code == 0
    epochs = {n: torch.load(run / "checkpoints" / f"{n}.ckpt", weights_only=True)["epoch"] for n in ("best", "last")}
    assert epochs == {"best": 1, "last": 2}


def test_without_validation_there_is_no_best_checkpoint(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    never = ["trainer.limit_val_batches=0", "trainer.max_epochs=1"]
    ended = avs("train", *tiny, *never, f"paths.output_dir={tmp_path}/run")
    assert ended.code == 1
    assert "trainer.limit_val_batches=0" in ended.err


def test_checkpoints_name_the_published_audio_encoder(
    avs: Callable, tiny: list[str], tmp_path: Path, published_vggish: Path
) -> None:
    run = tmp_path / "run"
    training = [*tiny, "audio_encoder=vggish", "logger=csv", f"paths.output_dir={run}"]
    assert avs("train", *training).code == 0
    for name in ("best", "last"):
        entries = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        assert not any(entry.startswith("audio_encoder.") for entry in entries)
    first = json.loads((run / "metrics.json").read_text())
    ended = avs("eval", f"checkpoint={run}/checkpoints/best.ckpt", "logger=csv", f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 0
    assert json.loads((tmp_path / "eval" / "metrics.json").read_text())["scores"]["true"] == first["scores"]["true"]
    assert avs("train", f"resume={run}", "trainer.max_epochs=3", "trainer.accelerator=cpu").code == 0
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 3
    published_vggish.unlink()
    ended = avs("eval", f"checkpoint={run}/checkpoints/best.ckpt", f"paths.output_dir={tmp_path}/again")
    assert ended.code == 1
    assert f"put it at {published_vggish}" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "ms3_test_resnet_stages1234"),
        (["decoder=fpn", "fusion=none"], "ms3_test_resnet_none_fpn"),
        (["init=single_source", "init.checkpoint=s4.ckpt"], "ms3_test_resnet_stages1234_pretrained"),
    ],
)
def test_a_run_is_named_after_what_sets_it_apart(
    avs: Callable, tiny: list[str], overrides: list[str], name: str
) -> None:
    assert f"\nname: {name}\n" in avs("train", *tiny, *overrides, "--cfg", "job", "--resolve").out


def test_callbacks_go_by_null_and_callbacks_and_loggers_come_by_their_class(
    avs: Callable, tiny: list[str], tmp_path: Path
) -> None:
    without = ["callbacks.pictures=null", "~callbacks.clips", "callbacks.history=null", "probes=null", "logger=csv"]
    own = [
        "+callbacks.stop={_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/miou_frame}",
        "+logger.files={_target_: pytorch_lightning.loggers.CSVLogger, name: mine}",
    ]
    folder = tmp_path / "run"
    ended = avs("train", *tiny, *without, *own, "trainer.max_epochs=1", f"paths.output_dir={folder}")
    assert ended.code == 0, ended.err
    assert not [name for name in ("pictures", "clips", "clips.csv") if (folder / name).exists()]
    assert list((folder / "mine").glob("*/metrics.csv"))
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    assert [name for name in state if name.startswith("EarlyStopping")]
    assert avs("report", str(folder)).code == 0
