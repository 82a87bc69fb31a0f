"""The method: which losses it takes, and that two processes compute what one does."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.strategies.ddp import DDPStrategy
from tests.networks import tiny_avs
from torch import Tensor, nn

from avs_lightning.data import ClipBatch, example_batch
from avs_lightning.data.clip import map_tensors
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.methods.avs.losses import avm_audio, avm_cosine, avm_visual
from avs_lightning.training.sync_batch_norm import BatchNormSync


def method(loss: dict[str, Any] | None = None, **settings: Any) -> AVSMethod:
    torch.manual_seed(0)
    return tiny_avs(loss, **settings)


def random_batch(clips: int = 4, size: int = 64) -> ClipBatch:
    batch = example_batch(clips, size)
    batch.labelled[:2, 1:] = False  # S4-like: two frames on the first of two processes, ten on the second
    return batch


def rows(batch: ClipBatch, wanted: slice) -> ClipBatch:
    batch = map_tensors(batch, lambda t: t[wanted])
    lists = {name: getattr(batch, name)[wanted] for name in ("lengths", "ids", "categories")}
    return replace(batch, **lists)


class Step(nn.Module):
    """A training step as a module, for DistributedDataParallel."""

    def __init__(self, of: AVSMethod):
        super().__init__()
        self.method = of

    def forward(self, batch: ClipBatch) -> Tensor:
        return torch.stack(list(self.method.losses(self.method(batch), batch).values())).sum()


def one_step(step: nn.Module, batch: ClipBatch) -> dict[str, Any]:
    loss = step(replace(batch, images=batch.images.double()))
    loss.backward()
    inner: Any = step.module if isinstance(step, nn.parallel.DistributedDataParallel) else step
    return {
        "loss": loss.detach(),
        "gradients": {name: p.grad for name, p in inner.method.named_parameters() if p.requires_grad},
        "buffers": dict(inner.method.named_buffers()),
    }


def clips_of_several_lengths(scope: str) -> tuple[AVSMethod, ClipBatch]:
    """Two clips for each of two processes, with other numbers of frames and of labelled ones."""
    batch = random_batch()
    batch.lengths[:] = [2, 5, 1, 1]
    batch.labelled &= batch.valid
    return method(scope=scope, classes=("background", "bell", "drum")), batch


def half_of_the_batch(rank: int, scope: str | None) -> dict[str, Any]:
    whole, batch = clips_of_several_lengths(scope) if scope else (method(), random_batch())
    synced = BatchNormSync().apply(whole.double().train())
    step = nn.parallel.DistributedDataParallel(Step(synced))
    return one_step(step, rows(batch, slice(2 * rank, 2 * rank + 2)))


@pytest.mark.parametrize("scope", [None, "clip", "frame"])
def test_two_processes_compute_the_loss_gradients_and_statistics_of_one(
    in_two_processes: Any, scope: str | None
) -> None:
    one, batch = clips_of_several_lengths(scope) if scope else (method(), random_batch())
    whole = one_step(Step(one.double().train()), batch)
    assert all(gradient is not None for gradient in whole["gradients"].values())
    for part in in_two_processes(half_of_the_batch, scope):
        torch.testing.assert_close(part["loss"], whole["loss"], rtol=1e-9, atol=0)
        assert part["gradients"].keys() == whole["gradients"].keys()
        for name, gradient in whole["gradients"].items():
            torch.testing.assert_close(part["gradients"][name], gradient, rtol=1e-9, atol=1e-9 * gradient.abs().max())
        assert part["buffers"].keys() == whole["buffers"].keys()
        for name, buffer in whole["buffers"].items():
            torch.testing.assert_close(part["buffers"][name], buffer, rtol=1e-9, atol=1e-12)


def test_every_parameter_takes_part_in_the_loss() -> None:
    """Else DistributedDataParallel would wait for its gradient."""
    assert not DDPStrategy()._ddp_kwargs.get("find_unused_parameters", False)
    for network in ({}, {"stages": (4,)}, {"visual": True}, {"decoder": "fpn"}, {"audio": False, "visual": True}):
        built = method({"avm_weight": 0.0}, **network)
        Step(built)(random_batch(2)).backward()
        heard = built.network.uses_audio
        unused = [n for n, p in built.named_parameters() if p.requires_grad and p.grad is None]
        assert [n for n in unused if heard or not n.startswith("audio_encoder.")] == []


def test_the_loss_is_the_sum_of_its_weighted_terms() -> None:
    batch = random_batch(2)
    built = method().eval()
    terms = built.losses(built(batch), batch)
    assert list(terms) == ["bce", "avm"]
    built.loss_options["avm_weight"] = 1.0
    torch.testing.assert_close(built.losses(built(batch), batch)["avm"], 2 * terms["avm"])
    assert list(method({"avm_weight": 0.0}).losses(built(batch), batch)) == ["bce"]


def test_avm_is_at_the_stages_with_tpavi_unless_it_is_told_otherwise() -> None:
    assert method(stages=(3, 4)).avm_stages == (3, 4)
    assert method({"avm_stages": [4]}, stages=(3, 4)).avm_stages == (4,)
    assert method(stages=()).avm_stages == ()
    assert method(audio=False, visual=True).avm_stages == ()


def test_a_projection_gives_the_loss_a_sound_where_the_network_has_none() -> None:
    built = method({"project": True}, stages=(4,))
    assert sorted(built.projections) == ["1", "2", "3"]
    batch = random_batch(2)
    out = built(batch)
    assert all(audio is not None for audio in out.audio)
    built.losses(out, batch)["avm"].backward()
    assert all(p.grad is not None for p in built.projections.parameters())


def test_the_sound_of_a_stage_without_tpavi_is_missed() -> None:
    with pytest.raises(UserError, match=r"stages \[1\] have no audio vector: TPAVI hears at \[4\].*project=true"):
        method({"avm_stages": [1, 4]}, stages=(4,))


def test_avm_compares_raw_vectors_unless_it_is_told_to_normalise() -> None:
    batch = random_batch(2)
    raw, normalised = (method(options).eval() for options in ({}, {"avm_normalize": True}))
    out = raw(batch)
    assert raw.losses(out, batch)["avm"] == 0.5 * avm_audio(out)
    assert normalised.losses(out, batch)["avm"] == 0.5 * avm_audio(out, normalize=True)


@pytest.mark.parametrize("avm", ["audio", "visual", "cosine"])
def test_avm_counts_every_frame_that_exists_also_where_no_mask_is(avm: str) -> None:
    batch = random_batch(2)
    assert not batch.labelled.all()
    built = method({"avm": avm}).eval()
    out = built(batch)
    loss = {"audio": avm_audio, "visual": avm_visual, "cosine": avm_cosine}[avm]
    assert built.losses(out, batch)["avm"] == 0.5 * loss(out)
    batch.lengths[1] = 4
    assert built.losses(out, batch)["avm"] == 0.5 * loss(out, labelled=batch.valid)


@pytest.mark.parametrize("avm", ["audio", "visual", "cosine"])
def test_each_avm_loss_is_its_own(avm: str) -> None:
    batch = random_batch(2)
    built = method({"avm": avm}).eval()
    other = method({"avm": "audio" if avm != "audio" else "visual"}).eval()
    assert built.losses(built(batch), batch)["avm"] != other.losses(other(batch), batch)["avm"]


def test_a_loss_that_is_no_number_names_the_clips() -> None:
    built = method()
    batch = random_batch(2)
    batch.images[0, 0, 0, 0, 0] = float("nan")
    fine, broken = built.training_step(random_batch(2), 2), built.training_step(batch, 3)
    built._trainer = SimpleNamespace(log_every_n_steps=6, current_epoch=0)  # type: ignore[assignment]
    for index, outputs in ((2, fine), (3, broken), (4, broken)):
        built.on_train_batch_end(outputs, batch, index)
    with pytest.raises(
        UserError, match=r"the loss became nan in epoch 1, batch 4, clips noise 0, noise 1.*optimizer.lr"
    ):
        built.on_train_batch_end(fine, batch, 5)


def test_the_loss_is_taken_where_layers_learn() -> None:
    built = method({}, decoder="deeplabv3plus", image_size=64)
    assert built.avm_stages == (1, 4)
    with pytest.raises(UserError, match=r"avm_stages=\[1, 2\].*does not read.*\[2\]"):
        method({"avm_stages": [1, 2]}, decoder="deeplabv3plus", image_size=64)
