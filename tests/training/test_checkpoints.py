"""What a run leaves to go on from and to test, under every limit that ends a training or plans its validations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from avs_lightning.methods.avs import AVSMethod

FIRST, LIMITED = ["probes=null", "callbacks.clips.count=0"], {
    "workers": ["data.workers=2"],
    "steps, within an epoch": ["trainer.max_epochs=4", "trainer.max_steps=8"],
    "accumulation": ["trainer.accumulate_grad_batches=2", "+trainer.val_check_interval=1"],
    "a schedule": ["data.workers=1", "schedule.name=cosine", "trainer.max_epochs=3"],
}  # fmt: skip


@pytest.fixture
def cut(avs: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`cut(batches, "train", ...)` runs a command and ends it by an error in that training batch, counted from zero."""

    def run(batches: int, *argv: str) -> None:
        seen: list[int] = []
        whole = AVSMethod.training_step

        def step(self: AVSMethod, batch: Any, index: int) -> torch.Tensor:
            if len(seen) == batches:
                raise RuntimeError("cut")
            seen.append(index)
            return whole(self, batch, index)

        with monkeypatch.context() as patch:
            patch.setattr(AVSMethod, "training_step", step)
            with pytest.raises(RuntimeError, match="cut"):
                avs(*argv)

    return run


def results(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return content


@pytest.mark.parametrize("limit", ["workers", "steps, within an epoch", *(
    pytest.param(name, marks=pytest.mark.slow) for name in ("accumulation", "a schedule")
)])  # fmt: skip
def test_a_run_goes_on_as_the_one_that_has_not_stopped(
    avs: Callable, cut: Callable, tiny: list[str], tmp_path: Path, differences: Callable, limit: str
) -> None:
    settings = ["train", *tiny, *FIRST, *LIMITED[limit]]
    assert avs(*settings, f"paths.output_dir={tmp_path}/whole").code == 0
    cut(4, *settings, f"paths.output_dir={tmp_path}/cut")
    ended = avs("train", f"resume={tmp_path}/cut")
    assert ended.code == 0, ended.err
    assert not differences(tmp_path / "cut", tmp_path / "whole")


def test_more_steps_are_those_of_a_longer_run(
    avs: Callable, tiny: list[str], tmp_path: Path, differences: Callable
) -> None:
    settings = ["train", *tiny, *FIRST, "trainer.max_epochs=4"]
    more, whole = tmp_path / "more", tmp_path / "whole"
    assert avs(*settings, "trainer.max_steps=5", f"paths.output_dir={more}").code == 0
    assert (results(more)["epochs"], results(more)["steps"]) == (1, 5)  # three batches an epoch
    interrupted = torch.load(more / "checkpoints" / "interrupted.ckpt", weights_only=True)
    assert interrupted["global_step"] == 5
    again = avs("train", f"resume={more}")
    assert "is done; with trainer.max_steps=10 it would go on" in again.out

    assert avs(*settings, "trainer.max_steps=7", f"paths.output_dir={whole}").code == 0
    ended = avs("train", f"resume={more}", "trainer.max_steps=7")
    assert ended.code == 0, ended.err
    assert not differences(more, whole)
    fewer = avs("train", f"resume={more}", "trainer.max_epochs=1", "trainer.max_steps=-1", "probes=[muted]")
    assert fewer.code == 1
    assert "trainer.max_epochs=1" in fewer.err


def test_the_best_checkpoint_holds_the_weights_that_were_scored(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    run, scored = tmp_path / "run", tmp_path / "eval"
    within = ["+trainer.val_check_interval=2", "trainer.check_val_every_n_epoch=null", "trainer.max_epochs=3"]
    ended = avs("train", *tiny, *FIRST, *within, "test=false", f"paths.output_dir={run}")
    assert ended.code == 0, ended.err
    options = ["callbacks.pictures.clips=0", "probes=null", "split=val", f"paths.output_dir={scored}"]
    assert avs("eval", f"checkpoint={run}/checkpoints/best.ckpt", *options).code == 0
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert results(scored)["scores"]["true"]["miou_frame"] == results(run)["best"]["val_miou_frame"]
    assert best["avs_val_miou_frame"] == results(run)["best"]["val_miou_frame"]
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert ("avs_val_miou_frame" in last) == (last["global_step"] % 2 == 0)  # else no validation has scored its weights


@pytest.mark.parametrize("limit", ["trainer.max_steps=2", "trainer.check_val_every_n_epoch=9", "trainer.max_epochs=0"])
def test_a_training_without_validation_is_validated_at_its_end(
    avs: Callable, tiny: list[str], tmp_path: Path, limit: str
) -> None:
    ended = avs("train", *tiny, "trainer.max_epochs=1", limit, *FIRST, f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    assert "its last weights are validated" in ended.out
    found = results(tmp_path / "run")
    assert found["best"]["val_miou_frame"] is not None
    assert found["scores"]["true"]


def test_a_time_limit_ends_a_run_for_good(avs: Callable, tiny: list[str], tmp_path: Path) -> None:
    settings = [*tiny, *FIRST, "+trainer.max_time={milliseconds: 1}", "trainer.max_epochs=-1"]
    assert avs("train", *settings, f"paths.output_dir={tmp_path}/run").code == 0
    found = results(tmp_path / "run")
    assert (found["epochs"], found["steps"]) == (0, 1)
    again = avs("train", f"resume={tmp_path}/run")
    assert "is done; with a longer trainer.max_time it would go on" in again.out


@pytest.mark.parametrize(
    "setting, words",
    [
        ("trainer.limit_val_batches=0", "trainer.limit_val_batches=0: without validation"),
        ("+trainer.fast_dev_run=true", "debug=fast"),
        ("callbacks.checkpoint.mode=up", "callbacks.checkpoint.mode=up"),
        ("callbacks.checkpoint.monitor=val/miou_fram", "did you mean val/miou_frame"),
    ],
)
def test_what_cannot_lead_to_results_is_refused_before_training(
    avs: Callable, tiny: list[str], tmp_path: Path, setting: str, words: str
) -> None:
    ended = avs("train", *tiny, setting, f"paths.output_dir={tmp_path}/run")
    assert ended.code == 1
    assert words in ended.err
    assert not (tmp_path / "run").exists()
