"""The precisions of Lightning, through the command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from avs_lightning.data import ClipBatch
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.models import NetworkOutput
from avs_lightning.training.precision import ON_CPU, check_precision

PICTURES = ["callbacks.pictures.clips=1", "callbacks.pictures.every_n_epochs=1", "callbacks.clips.count=1"]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """In what the method's evaluations compute, while it has a trainer: (logits, what new tensors are)."""
    forward, seen = AVSMethod.forward, set()

    def observed(method: AVSMethod, batch: ClipBatch) -> NetworkOutput:
        out = forward(method, batch)
        if method._trainer is not None and not method.training:
            seen.add((out.logits.dtype, torch.get_default_dtype()))
        return out

    monkeypatch.setattr(AVSMethod, "forward", observed)
    return seen


@pytest.mark.parametrize(
    "precision, logits, default",
    [
        ("bf16-mixed", torch.bfloat16, torch.float32),
        ("bf16-true", torch.bfloat16, torch.bfloat16),
        ("64-true", torch.float64, torch.float64),
    ],
)
def test_pictures_show_what_was_scored(
    avs: Callable,
    tiny: list[str],
    tmp_path: Path,
    computed: set[Any],
    precision: str,
    logits: torch.dtype,
    default: torch.dtype,
) -> None:
    short = ["trainer.max_epochs=1", f"trainer.precision={precision}", "probes=none", *PICTURES]
    ended = avs("train", *tiny, *short, f"paths.output_dir={tmp_path}/run")
    assert ended.code == 0, ended.err
    assert "true" in json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]
    assert {path.name for path in (tmp_path / "run" / "pictures").iterdir()} >= {"val_epoch_001_0.png", "test_0.png"}
    assert (tmp_path / "run" / "clips" / "index.json").exists()
    assert computed == {(logits, default)}


@pytest.mark.parametrize("precision", ["16-mixed", "16", 16, "16-true", "transformer-engine"])
def test_the_cpu_trains_in_no_other_precision_than_is_wished(
    avs: Callable, tiny: list[str], tmp_path: Path, precision: str | int
) -> None:
    ended = avs("train", *tiny, f"trainer.precision={precision}", f"paths.output_dir={tmp_path}/run")
    assert ended.code == 1
    assert all(phrase in ended.err for phrase in (f"trainer.precision={precision}", "GPU", *ON_CPU))
    assert not (tmp_path / "run").exists()


def test_half_precision_is_tested_on_the_cpu(avs: Callable, tiny_run: Path, tmp_path: Path, computed: set[Any]) -> None:
    half = ["trainer.accelerator=cpu", "trainer.precision=16-true", "probes=none", *PICTURES]
    ended = avs("eval", f"checkpoint={tiny_run}/checkpoints/best.ckpt", *half, f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 0, ended.err
    assert computed == {(torch.float16, torch.float16)}


@pytest.mark.parametrize("precision", ["16-mixed", "16-true", "bf16-mixed", 16])
def test_a_gpu_may_have_every_precision(precision: str | int) -> None:
    check_precision({"accelerator": "gpu", "precision": precision}, training=True)
    with pytest.raises(UserError, match=r"trainer\.precision=transformer-engine .*transformer_engine"):
        check_precision({"accelerator": "gpu", "precision": "transformer-engine"}, training=True)
