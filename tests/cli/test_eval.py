"""`avs eval` and starting from checkpoints: ours, and those of the released code."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from avs_lightning.methods.avs import AVS
from avs_lightning.methods.avs.released import to_reference

PLAIN = ["trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the released code's format: entries by its names, as DataParallel saves them."""
    torch.manual_seed(0)
    entries = to_reference(AVS("resnet50", stages=(3, 4)))
    file = tmp_path_factory.mktemp("released") / "S4_resnet50.pth"
    torch.save({f"module.{name}": value for name, value in entries.items()}, file)
    return file


def test_a_checkpoint_scores_as_in_training_with_no_data_named(
    avs: Callable, tiny_run: Path, tmp_path: Path, scores_in: Callable
) -> None:
    ended = avs("eval", f"checkpoint={tiny_run}/checkpoints/best.ckpt", *PLAIN, f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 0, ended.err
    assert scores_in(tmp_path / "eval") == scores_in(tiny_run)
    assert "best.ckpt, test split of ms3" in ended.out


def test_overrides_come_after_what_the_checkpoint_says(
    avs: Callable, tiny_run: Path, tmp_path: Path, scores_in: Callable
) -> None:
    checkpoint = f"checkpoint={tiny_run}/checkpoints/last.ckpt"
    others = {split: [f"split={split}"] for split in ("train", "val")}
    for name, overrides in {"all": [], "one": ["data.limit=1", "probes=none"], **others}.items():
        ended = avs("eval", checkpoint, *PLAIN, *overrides, f"paths.output_dir={tmp_path}/{name}")
        assert ended.code == 0, ended.err
    everything, one = scores_in(tmp_path / "all")["true"], scores_in(tmp_path / "one")["true"]
    assert everything["fscore_dataset"] != one["fscore_dataset"]
    for split in others:
        assert scores_in(tmp_path / split)["true"] != everything
        assert json.loads((tmp_path / split / "metrics.json").read_text())["split"] == split


def test_a_wrong_root_is_told_before_weights_are_read_or_a_folder_is_made(
    avs: Callable, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avs_lightning.training.evaluate.read_checkpoint", lambda file: pytest.fail("read"))
    checkpoint = f"checkpoint={tiny_run}/checkpoints/best.ckpt"
    ended = avs("eval", checkpoint, *PLAIN, f"data.root={tmp_path}/nowhere", f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 1
    assert "nowhere" in ended.err
    assert not (tmp_path / "eval").exists()


def test_pictures_of_the_split_that_is_tested(avs: Callable, tiny_run: Path, tmp_path: Path) -> None:
    drawn = ["callbacks.pictures.clips=2", "split=val"]
    checkpoint = f"checkpoint={tiny_run}/checkpoints/best.ckpt"
    assert avs("eval", checkpoint, *PLAIN, *drawn, f"paths.output_dir={tmp_path}/eval").code == 0
    assert len(list((tmp_path / "eval" / "pictures").glob("*.png"))) == 2


@pytest.mark.parametrize("asked", ["+probes=all", "probes=offscreen"])
def test_a_sound_that_is_off_screen(
    avs: Callable, tiny_run: Path, tmp_path: Path, scores_in: Callable, asked: str
) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 30_000), 22_050)
    given = ["eval", f"checkpoint={tiny_run}/checkpoints/best.ckpt", *PLAIN, f"paths.output_dir={tmp_path}/eval", asked]
    ended = avs(*given, f"+probe_sounds={tmp_path}")
    assert ended.code == 0, ended.err
    scores, trained = scores_in(tmp_path / "eval"), scores_in(tiny_run)
    assert scores.pop("offscreen").keys() == scores["true"].keys()
    assert list(scores) == (list(trained) if asked == "+probes=all" else ["true"])
    assert scores == {name: trained[name] for name in scores}
    assert "off screen" in ended.out


@pytest.mark.parametrize("command", ["train", "eval"])
def test_off_screen_sounds_have_to_be_given(
    avs: Callable, tiny: list[str], tiny_run: Path, tmp_path: Path, command: str
) -> None:
    given = tiny if command == "train" else [f"checkpoint={tiny_run}/checkpoints/best.ckpt", *PLAIN]
    ended = avs(command, *given, f"paths.output_dir={tmp_path}/run", "probes=[muted,offscreen]")
    assert ended.code == 1
    assert "'offscreen' needs sounds: probe_sounds=FOLDER" in ended.err
    assert not (tmp_path / "run").exists()


def test_results_name_data_and_code_as_training_does(avs: Callable, tiny_run: Path, tmp_path: Path) -> None:
    options = ["callbacks.clips.count=0", "probes=none", f"paths.output_dir={tmp_path}/eval"]
    assert avs("eval", f"checkpoint={tiny_run}/checkpoints/best.ckpt", *PLAIN, *options).code == 0
    ours, trained = (json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path / "eval", tiny_run))
    assert ours["fingerprint"] == trained["fingerprint"]
    assert ours["code"]["version"] == trained["code"]["version"]
    assert (tmp_path / "eval" / "clips.csv").read_text() == (tiny_run / "clips.csv").read_text()
    assert not (tmp_path / "eval" / "clips").exists()


def test_a_released_checkpoint(
    avs: Callable, released: Path, tmp_path: Path, official_ms3: Callable, scores_in: Callable
) -> None:
    root = official_ms3(tmp_path / "data", test=2, size=64)
    data = ["data=ms3", f"data.root={root}", "data.image_size=64", "data.workers=0", "audio_encoder.weights=none"]
    folder = f"paths.output_dir={tmp_path}/eval"
    ended = avs("eval", f"checkpoint={released}", *data, *PLAIN, "probes=[muted]", folder)
    assert ended.code == 0, ended.err
    assert list(scores_in(tmp_path / "eval")) == ["true", "muted"]


def test_what_a_released_checkpoint_attends_to_is_assumed_aloud_or_said(
    avs: Callable, released: Path, tmp_path: Path, official_ms3: Callable, scores_in: Callable
) -> None:
    root = official_ms3(tmp_path / "data", test=2, size=64)
    data = ["data=ms3", f"data.root={root}", "data.image_size=64", "data.workers=0", "audio_encoder.weights=none"]
    fused = torch.load(released, weights_only=True)
    for name in fused:
        if name.endswith("W_z.1.weight"):
            fused[name] += 1  # as initialised, TPAVI adds nothing
    torch.save(fused, tmp_path / "fused.pth")
    scores, given = {}, {"va": [], "same": ["fusion.audio=true"], "vv": ["fusion.audio=false", "fusion.visual=true"]}
    for name, fusion in given.items():
        folder = tmp_path / name
        ended = avs(
            "eval", f"checkpoint={tmp_path}/fused.pth", *data, *fusion, "probes=none", f"paths.output_dir={folder}"
        )
        assert ended.code == 0, ended.err
        said = "fusion.audio=true fusion.visual=false is assumed" in " ".join(ended.out.split())
        assert said is (name != "vv")
        scores[name] = scores_in(folder)["true"]
        assert f"visual: {str(name == 'vv').lower()}" in (folder / "config.yaml").read_text()
    assert scores["va"] == scores["same"] != scores["vv"]


def test_a_released_checkpoint_does_not_say_its_data(avs: Callable, released: Path, tmp_path: Path) -> None:
    ended = avs("eval", f"checkpoint={released}", *PLAIN, f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 1
    assert "name a data set (data=s4, data=ms3, ...)" in ended.err


def test_starting_from_an_own_checkpoint(avs: Callable, tiny: list[str], tiny_run: Path, tmp_path: Path) -> None:
    source = tiny_run / "checkpoints" / "best.ckpt"
    folder = tmp_path / "run"
    start = ["init=single_source", f"init.checkpoint={source}", "trainer.max_epochs=0", "test=false"]
    ended = avs("train", *tiny, *start, "fusion=stages34", f"paths.output_dir={folder}")
    assert ended.code == 0, ended.err
    ours = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    theirs = torch.load(source, weights_only=True)["state_dict"]
    assert ours.keys() < theirs.keys()  # two TPAVI modules fewer
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert f"{len(ours)} entries taken over, 0 kept as built, {len(theirs) - len(ours)} left out" in " ".join(
        ended.out.split()
    )


def test_starting_from_a_released_checkpoint(avs: Callable, tiny: list[str], released: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start = ["init=single_source", f"init.checkpoint={released}", "trainer.max_epochs=0", "test=false"]
    network = ["encoder=resnet50", "encoder.weights=none", "decoder.channels=256"]
    ended = avs("train", *tiny, *start, *network, f"paths.output_dir={folder}")
    assert ended.code == 0, ended.err
    ours = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    torch.manual_seed(0)
    theirs = AVS("resnet50", stages=(3, 4)).state_dict()
    assert all(torch.equal(ours[f"network.{name}"], value) for name, value in theirs.items())
    kept = ours.keys() - {f"network.{name}" for name in theirs}
    assert {name.split(".")[0] for name in kept} == {"network", "audio_encoder"}
    assert f"{len(theirs)} entries taken over, {len(kept)} kept as built" in " ".join(ended.out.split())


def test_a_checkpoint_of_another_architecture(avs: Callable, tiny: list[str], tiny_run: Path, tmp_path: Path) -> None:
    content = torch.load(tiny_run / "checkpoints" / "best.ckpt", weights_only=True)
    content["hyper_parameters"]["decoder"]["channels"] = 32
    file = tmp_path / "other.ckpt"
    torch.save(content, file)
    ended = avs("eval", f"checkpoint={file}", *PLAIN, f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 1
    assert str(file) in ended.err
    assert "checkpoint of another architecture" in ended.err
    assert "expected [32, " in ended.err
    start = ["init=single_source", f"init.checkpoint={file}", "fusion=none", "decoder.channels=8"]
    torch.save({"hyper_parameters": {}, "state_dict": {"elsewhere": torch.zeros(1)}}, file)
    ended = avs("train", *tiny, *start, f"paths.output_dir={tmp_path}/run")
    assert ended.code == 1
    assert "holds another encoder" in ended.err


def test_a_checkpoint_that_is_cut_short(avs: Callable, tiny_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "short.ckpt"
    file.write_bytes((tiny_run / "checkpoints" / "best.ckpt").read_bytes()[:100_000])
    ended = avs("eval", f"checkpoint={file}", *PLAIN)
    assert ended.code == 1
    assert f"{file} cannot be read as a checkpoint" in ended.err
    assert "damaged, cut short, or holds more than tensors" in ended.err


class Hostile:
    """What a pickle can do to whoever reads it."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("command", ["eval", "train"])
def test_a_checkpoint_is_never_executed(avs: Callable, tiny: list[str], tmp_path: Path, command: str) -> None:
    file, trace = tmp_path / "hostile.ckpt", tmp_path / "executed"
    torch.save({"state_dict": Hostile(trace)}, file)
    pickle.loads(pickle.dumps(Hostile(trace)))
    assert trace.exists()  # it would
    trace.unlink()
    arguments = {
        "eval": [f"checkpoint={file}"],
        "train": [*tiny, "init=single_source", f"init.checkpoint={file}", f"paths.output_dir={tmp_path}/run"],
    }
    ended = avs(command, *arguments[command])
    assert ended.code == 1
    assert f"{file} cannot be read as a checkpoint" in ended.err
    assert not trace.exists()
