"""What a user can get wrong on the command line: one message that says what, where and what to do; exit code 1."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


def refused(ended: object, *phrases: str) -> None:
    """Check the form of an error, and that it says `phrases`."""
    code, err = ended.code, ended.err  # type: ignore[attr-defined]
    assert code == 1, err
    assert "Traceback" not in err
    message = " ".join(err.split())
    assert message.count("avs: error") == 1
    for phrase in phrases:
        assert phrase in message


@pytest.mark.parametrize(
    "override, phrases",
    [
        ("trainer.max_epoch=3", ["'trainer.max_epoch'", "did you mean trainer.max_epochs"]),
        ("encodr=resnet50", ["'encodr'", "did you mean encoder"]),
        ("nosuch=1", ["'nosuch'", "avs train --cfg job"]),
        ("fusion=stage5", ["fusion=stage5", "none, stage1, stage2, stage3, stage4, stages1234"]),
        ("data=s5", ["data=s5", "ms3", "s4", "synthetic_ms3", "synthetic_s4", "did you mean s4?"]),
        ("trainer.max_epochs=", ["trainer.max_epochs=", "a whole number"]),
        ("data.batch_size=abc", ["data.batch_size=abc", "a whole number"]),
        ("data.batch_size=0", ["data.batch_size=0"]),
        ("optimizer.lr=fast", ["optimizer.lr=fast", "a number"]),
        ("optimizer.lr=-1", ["optimizer.lr=-1", "above 0"]),
        ("seed=null", ["seed=null", "a whole number from 0"]),
        ("seed=-1", ["seed=-1", "from 0"]),
        ("seed=4294967296", ["seed=4294967296", "4,294,967,295"]),
        ("+trainer.max_time=5", ["trainer.max_time=5", "DD:HH:MM:SS"]),
        ("decoder.channels=0", ["decoder.channels=0", "from 1"]),
        ("callbacks.pictures.clips=-1", ["callbacks.pictures.clips=-1", "from 0"]),
        ("paths.output_dir=null", ["paths.output_dir=null", "path"]),
        ("callbacks.checkpoint.mode=up", ["callbacks.checkpoint.mode=up", "max, min"]),
        ("fusion.audio=2", ["fusion.audio=2", "true or false"]),
        ("fusion.stages=3", ["fusion.stages=3", "a list"]),
        ("trainer.max_epochs=x", ["trainer.max_epochs=x", "a whole number"]),
        ("fusion.stages=[5]", ["fusion stage 5 does not exist: test_resnet has stages 1-4 (fusion.stages=[...])"]),
        ("encoder=resnet5O", ["unknown encoder 'resnet5O'", "did you mean resnet50"]),
        ("method.loss.avm=foo", ["method.loss.avm=foo", "audio, visual, cosine"]),
        ("optimizer=adan", ["optimizer=adan", "did you mean adam"]),
        ("optimizer._target_=adam", ["optimizer._target_=adam", "MODULE.CLASS"]),
        ("optimizer._target_=torch.optim.Adan", ["optimizer._target_=torch.optim.Adan", "did you mean", "Adam"]),
        ("optimizer._target_=torch.nn.Linear", ["torch.nn.Linear is no Optimizer"]),
        ("schedule.name=cosin", ["schedule.name=cosin", "did you mean cosine"]),
        ("probes=[mute]", ["probes=mute is unknown", "did you mean muted"]),
        ("+probes=mute", ["probes=mute is unknown", "did you mean muted"]),
        ("probe_sounds=nosuch", ["probe_sounds=", "nosuch: there is no such folder"]),
        ("+data.foo=1", ["'data.foo'", "nothing reads it"]),
        ("+trainer.foo=1", ["'trainer.foo'", "nothing reads it"]),
        ("+trainer.callbacks=[]", ["trainer.callbacks cannot be set"]),
        ("+foo.bar=1", ["'foo'", "nothing reads it"]),
        ("data.synthetic.seed=1", ["data.synthetic.seed", "data=synthetic_ms3"]),
        ("optimizer.beta=1", ["optimizer.beta", "+optimizer.beta="]),
        ("+optimizer.beta=[0.9,0.99]", ["Adam cannot be built", "optimizer.beta=[0.9, 0.99]"]),
        ("+decoder.chanels=3", ["ReferenceDecoder cannot be built", "decoder.chanels=3"]),
        ("+callbacks.early=5", ["'callbacks.early'", "nothing reads it"]),
        ("+callbacks.early={_target_: x.Early}", ["callbacks.early._target_=x.Early cannot be imported"]),
        ("+callbacks.early={_target_: torch.nn.Linear}", ["torch.nn.Linear is no Callback"]),
        ("+logger.tensorboard={_target_: x.Board}", ["logger.tensorboard._target_=x.Board cannot be imported"]),
        ("+seed=3", ["seed is there already", "without the plus"]),
        ("trainer.precision=17", ["trainer.precision=17", "bf16-mixed"]),
        ("trainer.accelerator=gpuu", ["trainer.accelerator=gpuu", "cpu"]),
        ("trainer.strategy=dpp", ["trainer.*", "dpp"]),
        ("trainer.devices=99", ["trainer.devices=99", "this machine has", "cores"]),
        ("callbacks.checkpoint.monitor=val/nosuch", ["val/nosuch", "val/miou_frame"]),
        ("init=single_source", ["init.checkpoint has to be given"]),
        ("resume=nosuch", ["nosuch holds no run to resume"]),
        ("optimizer.lr=1e30", ["the loss became nan in epoch 1", "optimizer.lr"]),
        ("encoder=resnet18,resnet50", ["encoder=resnet18,resnet50 names several values", "-m"]),
        ("hydra/launcher=joblib", ["hydra/launcher=joblib", "launcher=parallel"]),
        ("hydra/sweeper=optuna", ["hydra/sweeper=optuna", "avs train -m"]),
        ("some/where", ["'some/where' is no KEY=VALUE", "resume=some/where"]),
        ("données=3", ["'données=3' is no KEY=VALUE"]),
    ],
)
def test_train_refuses(avs: Callable, tiny: list[str], tmp_path: Path, override: str, phrases: list[str]) -> None:
    refused(avs("train", *tiny, f"paths.output_dir={tmp_path}/run", override), *phrases)
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    refused(avs("train", *tiny, f"paths.output_dir={tmp_path}/run", "trainer.accelerator=gpu"), "trainer.*", "gpu")


def test_the_number_of_synthetic_clips_is_checked_before_they_are_written(avs: Callable, tmp_path: Path) -> None:
    ended = avs("train", "data=synthetic_ms3", "data.synthetic.clips=foo", f"paths.data_dir={tmp_path}")
    refused(ended, "data.synthetic.clips=foo", "{name: value, ...}")
    refused(avs("train", "data=synthetic_ms3", "data.synthetic.clips.train=foo"), "data.synthetic.clips.train=foo")
    assert not list(tmp_path.iterdir())


def test_values_of_a_run_that_goes_on_are_checked_too(avs: Callable, tiny_run: Path) -> None:
    refused(avs("train", f"resume={tiny_run}", "trainer.max_epochs=abc"), "trainer.max_epochs=abc", "a whole number")


def test_values_that_the_trainer_takes_in_several_kinds(avs: Callable, tiny: list[str]) -> None:
    ended = avs("train", *tiny, "trainer.devices=auto", "trainer.deterministic=warn", "data.limit=2", "dry_run=true")
    assert ended.code == 0


def test_a_folder_that_holds_a_run_is_left_alone(avs: Callable, tiny: list[str], tiny_run: Path) -> None:
    before = (tiny_run / "config.yaml").read_text()
    ended = avs("train", *tiny, f"paths.output_dir={tiny_run}", "seed=7")
    refused(ended, f"{tiny_run} already holds a run", f"avs train resume={tiny_run}", "paths.output_dir=...")
    assert (tiny_run / "config.yaml").read_text() == before


def test_a_run_that_failed_before_its_first_step_does_not_take_the_folder(
    avs: Callable, tiny: list[str], tmp_path: Path
) -> None:
    folder = f"paths.output_dir={tmp_path}/run"
    refused(avs("train", *tiny, folder, "data.root=nosuch"), "nosuch", "data.root", "avs data make")
    assert avs("train", *tiny, folder, "trainer.max_epochs=1").code == 0


def test_a_file_in_place_of_the_output_folder(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(avs("train", *tiny, f"paths.output_dir={tmp_path}/file"), "file cannot be written", "paths.output_dir")


def test_frames_of_another_size(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    ended = avs("train", *tiny, f"paths.output_dir={tmp_path}/run", "data.image_size=64")
    refused(ended, "32x32", "64x64", "data.image_size")


def test_imagenet_weights_without_a_network(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    ended = avs("train", *tiny, f"paths.output_dir={tmp_path}/run", "encoder=pvt_v2_b5", "encoder.weights=imagenet")
    refused(ended, "pvt_v2_b5 cannot be fetched", "https://", "encoder.weights=/path/to/file", "encoder.weights=none")


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint at all"])
def test_a_checkpoint_to_start_from_that_is_missing_or_damaged(
    avs: Callable, tiny: list[str], tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "s4.ckpt"
    if content is not None:
        file.write_bytes(content)
    ended = avs("train", *tiny, "init=single_source", f"init.checkpoint={file}", f"paths.output_dir={tmp_path}/run")
    refused(ended, str(file), "there is no checkpoint" if content is None else "cannot be read as a checkpoint")


@pytest.mark.parametrize(
    "arguments, phrases",
    [
        ([], ["checkpoint has to be given: avs eval checkpoint=FILE"]),
        (["checkpoint="], ["checkpoint=", "path"]),
        (["some.ckpt"], ["'some.ckpt' is no KEY=VALUE", "checkpoint=some.ckpt"]),
        (["checkpoint=nosuch.ckpt"], ["there is no checkpoint nosuch.ckpt", "best.ckpt"]),
        (["checkpoint={run}/checkpoints/best.ckpt", "split=tests"], ["split=tests", "train, val, test"]),
        (["checkpoint={run}/checkpoints/best.ckpt", "data.limt=2"], ["there is no setting 'data.limt'"]),
        (["checkpoint={run}/checkpoints/best.ckpt", "trainer.max_epoch=2"], ["did you mean trainer.max_epochs"]),
    ],
)
def test_eval_refuses(avs: Callable, tiny_run: Path, tmp_path: Path, arguments: list[str], phrases: list[str]) -> None:
    filled = [text.format(run=tiny_run) for text in arguments]
    refused(avs("eval", *filled, f"paths.output_dir={tmp_path}/eval"), *phrases)


@pytest.mark.parametrize("mode", ["onlin", "on"])
def test_a_mode_that_wandb_does_not_have(avs: Callable, tiny: list[str], tmp_path: Path, mode: str) -> None:
    ended = avs("train", *tiny, f"paths.output_dir={tmp_path}/run", "logger=wandb", f"logger.wandb.mode='{mode}'")
    refused(ended, f"logger.wandb.mode={mode}", "online, offline, disabled")


def test_an_unexpected_error_keeps_its_stack(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(cfg: object) -> None:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr("avs_lightning.training.train.train", broken)
    with pytest.raises(ZeroDivisionError):
        avs("train", *tiny, f"paths.output_dir={tmp_path}/run")


@pytest.mark.parametrize(
    "started", [{"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2"}]
)
def test_ranks_that_would_not_share_a_folder(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: dict[str, str]
) -> None:
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    ended = avs("train", *tiny, f"paths.runs_dir={tmp_path}/runs")
    refused(ended, "one of 2 processes of torchrun or srun", "paths.output_dir=FOLDER")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("decoder", ["fpn", "unet", "unetplusplus", "deeplabv3plus"])
def test_a_size_that_a_decoder_cannot_make(
    avs: Callable, tiny: list[str], tmp_path: Path, official_ms3: Callable, decoder: str
) -> None:
    root = official_ms3(tmp_path, size=100)
    ended = avs("train", *tiny, f"data.root={root}", "data.image_size=100", f"decoder={decoder}", "dry_run=true")
    refused(ended, f"decoder={decoder}", "data.image_size=100", "multiples of 32")


def test_a_class_that_holds_no_data(avs: Callable, tiny: list[str]) -> None:
    refused(avs("train", *tiny, "data._target_=builtins.dict", "dry_run=true"), "data._target_=builtins.dict")


def test_brackets_in_a_path_are_printed(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "a[b]" / "c[red] :smile: é=1"
    ended = avs(
        "train", *tiny, "trainer.max_epochs=1", "probes=muted,swapped", "name=n[bold]m", f"paths.output_dir={folder}"
    )
    assert ended.code == 0, ended.err
    assert f"Everything is in {folder}" in ended.out
    assert "n[bold]m" in ended.out
    again = avs("train", f"resume={folder}")
    assert f"{folder} is done" in again.out.replace("\n", "")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS"),
        (pickle.dumps(print), "more than tensors"),
    ],
)
@pytest.mark.parametrize("setting", ["init.checkpoint", "encoder.weights"])
def test_a_file_that_is_another_thing(
    avs: Callable, tiny: list[str], tmp_path: Path, setting: str, content: bytes, word: str
) -> None:
    (tmp_path / "a=b.ckpt").write_bytes(content)
    ended = avs("train", *tiny, f"{setting}={tmp_path}/a=b.ckpt", "dry_run=true")
    refused(ended, f"{tmp_path}/a=b.ckpt", word)
    assert "weights_only" not in ended.err


@pytest.mark.parametrize(
    ("typed", "near"), [("backbones=resnet50", "backbone"), ("seed5=1", "seeds"), ("encodr=x", "encoder")]
)
def test_a_mistyped_axis(avs: Callable, typed: str, near: str) -> None:
    refused(avs("study", "run", "table_a1", "data=synthetic", typed, "--dry-run"), typed.partition("=")[0], near)


@pytest.mark.parametrize("form", [["--config-dir", "{}"], ["hydra.searchpath=[file://{}]"]])
def test_a_group_in_a_directory_of_ones_own(avs: Callable, tiny: list[str], tmp_path: Path, form: list[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - ms3\ndata:\n  limit: 1\n")
    ended = avs("train", *[word.format(tmp_path) for word in form], *tiny, "data=mine", "dry_run=true")
    assert ended.code == 0, ended.err
    assert "One batch: 1 clips" in ended.out
