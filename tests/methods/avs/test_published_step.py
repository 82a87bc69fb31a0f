"""A training step of the published recipes, in float64, against their formulas written down once more.

From what the network has put out follow the loss terms, from the gradients Adam's step, from what goes into each
BatchNorm its running statistics: nothing of the package computes the numbers that its step is compared with.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hydra import initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.cli.sweep import compose
from avs_lightning.data import ClipBatch, example_batch
from avs_lightning.methods.avs.tpavi import TPAVI
from avs_lightning.methods.building import build_method
from avs_lightning.models import NetworkOutput

CLIPS, FRAMES, SIZE = 2, 5, 64
LEARNING_RATE, BETAS, EPSILON, MOMENTUM = 1e-4, (0.9, 0.999), 1e-8, 0.1


def published_method(data: str, encoder: str) -> Any:
    untrained = ["encoder.weights=none", "audio_encoder.weights=none", f"data.image_size={SIZE}"]
    overrides = [f"data={data}", f"encoder={encoder}", *untrained]
    set_up_hydra(overrides)
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        config = compose("train", overrides).config
    torch.manual_seed(0)
    settings: Any = OmegaConf.to_container(config, resolve=True)
    method: Any = build_method(settings, instantiate(settings["data"], _convert_="all"))
    with torch.no_grad():
        for tpavi in method.network.fusion.values():
            tpavi.W_z[1].weight.normal_()  # zero at first: no gradient would reach what comes before it
    return method.double().train()


def batch(first_frame_only: bool) -> ClipBatch:
    clips = example_batch(CLIPS, SIZE, FRAMES)
    if first_frame_only:
        clips.labelled[:, 1:] = False
        clips.labels[:, 1:] = 0
    return replace(clips, images=clips.images.double())


def cross_entropy(logits: Tensor, masks: Tensor) -> Tensor:
    sounding = 1 / (1 + (-logits).exp())
    return -(masks * sounding.log() + (1 - masks) * (1 - sounding).log()).mean()


def raw_matching(out: NetworkOutput) -> Tensor:
    """The mean over stages of KL(softmax(a) || softmax(u)), summed over rows and channels."""
    of_stages = []
    for features, audio in zip(out.features, out.audio):
        z, a = features.flatten(0, 1), audio.flatten(0, 1)
        step = SIZE // z.shape[-1]
        cells = out.logits.flatten(0, 2).unfold(1, step, step).unfold(2, step, step).mean(dim=(3, 4))
        u = (z / (1 + (-cells).exp())[:, None]).mean(dim=(2, 3))
        p, q = (v.exp() / v.exp().sum(dim=1, keepdim=True) for v in (a, u))
        of_stages.append((p * (p / q).log()).sum())
    return sum(of_stages) / len(of_stages)


def written(tpavi: TPAVI, x: Tensor, audio: Tensor) -> Tensor:
    """W_z y with y = (1/N) theta(x)^T phi(a) g(x), the N x N matrix and all: [B*N, C], what BatchNorm sees."""

    def convolved(layer: nn.Module, positions: Tensor) -> Tensor:  # 1 x 1 x 1, on [B, N, C]
        return positions @ layer.weight.flatten(1).T + layer.bias

    positions = x.flatten(2).mT
    heard = audio @ tpavi.align_channel.weight.T + tpavi.align_channel.bias
    heard = heard.repeat_interleave(x.shape[3] * x.shape[4], dim=1)
    theta, phi, g = (
        convolved(layer, of) for layer, of in ((tpavi.theta, positions), (tpavi.phi, heard), (tpavi.g, positions))
    )
    y = theta @ phi.mT / positions.shape[1] @ g
    return convolved(tpavi.W_z[0], y).flatten(0, 1)


def moved(norm: nn.Module, rows: Tensor) -> dict[str, Tensor]:
    """A BatchNorm's buffers after one batch of rows [n, C]."""
    mean = rows.mean(dim=0)
    variance = (rows - mean).square().sum(dim=0) / (len(rows) - 1)
    return {
        "running_mean": (1 - MOMENTUM) * norm.running_mean + MOMENTUM * mean,
        "running_var": (1 - MOMENTUM) * norm.running_var + MOMENTUM * variance,
        "num_batches_tracked": norm.num_batches_tracked + 1,
    }


@pytest.mark.parametrize("encoder", ["resnet50", "pvt_v2_b5"])
@pytest.mark.parametrize("data", ["s4", "ms3"])
def test_a_training_step_is_what_the_formulas_say(data: str, encoder: str) -> None:
    method, clips = published_method(data, encoder), batch(first_frame_only=data == "s4")
    outputs: list[NetworkOutput] = []
    buffers = {name: value.clone() for name, value in method.named_buffers()}
    norms = 0

    def watch(prefix: str) -> Any:
        def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal norms
            with torch.no_grad():
                if isinstance(module, TPAVI):
                    norm, rows, name = module.W_z[1], written(module, *inputs[:2]), f"{prefix}.W_z.1"
                else:
                    norm, rows, name = module, inputs[0].transpose(0, 1).flatten(1).T, prefix
                buffers.update({f"{name}.{key}": value for key, value in moved(norm, rows).items()})
            norms += 1

        return before

    for name, module in method.named_modules():
        if isinstance(module, TPAVI) or (isinstance(module, nn.BatchNorm2d) and name.startswith("network.encoder.")):
            module.register_forward_pre_hook(watch(name))
    method.network.register_forward_hook(lambda _module, _inputs, out: outputs.append(out))

    optimizer = method.configure_optimizers()["optimizer"]
    loss = method.training_step(clips, 0)["loss"]
    (out,) = outputs
    masks = clips.labels.unsqueeze(2).double()
    if data == "s4":
        expected = cross_entropy(out.logits[:, :1], masks[:, :1])
    else:
        expected = cross_entropy(out.logits, masks) + 0.5 * raw_matching(out)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)

    loss.backward()
    trained = {name: p.detach().clone() for name, p in method.named_parameters() if p.grad is not None}
    frozen = {name for name, p in method.named_parameters() if not p.requires_grad}
    never_run = "network.decoder.paths.3.skip."  # the first residual unit of path 4: it has nothing to add to
    assert all(name.startswith(("audio_encoder.", never_run)) for name in frozen)
    assert trained.keys() | frozen == {name for name, _ in method.named_parameters()}
    optimizer.step()
    for name, before in trained.items():
        parameter = method.get_parameter(name)
        first, second = (1 - BETAS[0]) * parameter.grad, (1 - BETAS[1]) * parameter.grad.square()
        step = (first / (1 - BETAS[0])) / ((second / (1 - BETAS[1])).sqrt() + EPSILON)
        torch.testing.assert_close(parameter.detach(), before - LEARNING_RATE * step, rtol=0, atol=1e-12)
        for moment, value in (("exp_avg", first), ("exp_avg_sq", second)):
            torch.testing.assert_close(optimizer.state[parameter][moment], value, rtol=1e-12, atol=0)

    assert norms == {"resnet50": 53 + 4, "pvt_v2_b5": 4}[encoder]
    for name, value in method.named_buffers():
        torch.testing.assert_close(value, buffers[name], rtol=1e-9, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")
