"""The reference's outputs on known weights and inputs, and ours."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from avs_lightning import AVS
from avs_lightning.losses import mask_loss
from avs_lightning.methods.avs import VGGish
from avs_lightning.methods.avs.losses import avm_audio, avm_visual
from avs_lightning.methods.avs.reference_names import reference_name
from avs_lightning.methods.avs.released import to_reference
from avs_lightning.models import NetworkOutput

CASES = {
    "pvt_tpavi_1234": ("pvt_v2_b5", (1, 2, 3, 4), 0),
    "resnet_tpavi_34": ("resnet50", (3, 4), 1),
    "resnet_none": ("resnet50", (), 2),
}
# KL divergences of 1e-6 are sums of 1,280 terms of 1e-3 that cancel: float32 leaves them this uncertain.
KL_ROUNDING = 3e-7


@pytest.fixture(scope="module")
def parity(shared: Path) -> Path:
    return shared / "parity"


@pytest.fixture(scope="module")
def fill(parity: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill", parity / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def filled(parity: Path, fill: ModuleType) -> Callable[..., dict[str, torch.Tensor]]:
    """`filled("resnet", stages)`: the reference's state dict, with TPAVI at these stages."""

    def entries(name: str, stages: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
        shapes = json.loads((parity / f"state_dict_{name}.json").read_text())
        unused = tuple(f"tpavi_b{i}." for i in (1, 2, 3, 4) if i not in stages)
        return {
            n: torch.from_numpy(np.asarray(fill.fill(n, tuple(s))))
            for n, s in shapes.items()
            if not n.startswith(unused)
        }

    return entries


@pytest.fixture(scope="module", params=CASES)
def case(request, parity, fill, filled) -> SimpleNamespace:
    """One forward and backward pass, and what the reference got."""
    encoder, stages, seed = CASES[request.param]
    entries = filled(request.param.split("_")[0], stages)
    net = AVS.from_reference(entries, encoder=encoder, stages=stages)
    images, audio, masks = (torch.from_numpy(x)[None] for x in fill.clip_inputs(seed, 1))
    out = net(images, audio)
    losses = {"bce": mask_loss(out.logits, masks[:, :, 0]), "bce_first": mask_loss(out.logits[:, :1], masks[:, :1, 0])}
    if stages:
        losses |= matching_losses(out, stages, normalize=True)
    losses["total"] = losses["bce"] + 0.5 * losses["avm_kl"] if stages else losses["bce"]
    losses["total"].backward()
    gradients = {
        reference_name(n, encoder): p.grad.norm().item() for n, p in net.named_parameters() if p.grad is not None
    }
    expected = dict(np.load(parity / f"{request.param}.npz"))
    inputs, found = (images, audio), {"out": out, "losses": losses, "gradients": gradients}
    return SimpleNamespace(
        name=request.param, net=net, stages=stages, inputs=inputs, entries=entries, expected=expected, **found
    )


def matching_losses(out: NetworkOutput, stages: tuple[int, ...], normalize: bool) -> dict[str, torch.Tensor]:
    losses = {}
    for distance in ("kl", "euclidean"):
        losses[f"avm_{distance}"] = avm_audio(out, stages, distance, normalize=normalize)
        losses[f"avm_vv_{distance}"] = avm_visual(out, stages, distance, normalize=normalize)
    return losses


def assert_near(found: torch.Tensor, expected: np.ndarray) -> None:
    """Within 1e-3 of the largest value."""
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def test_logits(case):
    assert_near(case.out.logits[0, ..., ::4, ::4], case.expected["logits"])


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_features_and_audio_vectors(case, stage):
    step = 4 if stage <= 2 else 1
    assert_near(case.out.features[stage - 1][0, :, ::16, ::step, ::step], case.expected[f"feature{stage}"])
    audio = case.out.audio[stage - 1]
    assert (audio is None) is (f"audio{stage}" not in case.expected)
    if audio is not None:
        assert_near(audio, case.expected[f"audio{stage}"])


def test_losses(case):
    expected = {name.removeprefix("loss_"): value for name, value in case.expected.items() if name.startswith("loss_")}
    assert expected.keys() == case.losses.keys()
    for name, value in expected.items():
        assert case.losses[name].item() == pytest.approx(float(value), rel=1e-4, abs=KL_ROUNDING), name


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_matching_losses_of_raw_vectors(case, parity, precision):
    if not case.stages:
        pytest.skip("without TPAVI there is no audio vector")
    suffix = "_float64" if precision == torch.float64 else ""
    expected = json.loads((parity / "avm_unnormalised.json").read_text())[case.name]
    out = NetworkOutput(
        case.out.logits.detach().to(precision),
        [feature.detach().to(precision) for feature in case.out.features],
        [None if audio is None else audio.detach().to(precision) for audio in case.out.audio],
    )
    found = matching_losses(out, case.stages, normalize=False)
    for distance in ("kl", "euclidean"):
        name, visual = f"avm_{distance}", f"avm_vv_{distance}"
        assert found[name].item() == pytest.approx(expected[name + suffix], rel=1e-4)
        # The released code's one difference: a frame may be its own neighbour where others sound farther apart than 10.
        released = visual_matching(out, case.stages, distance, own_distance=10)
        assert released == pytest.approx(expected[visual + suffix], rel=1e-4, abs=KL_ROUNDING)
        ours = visual_matching(out, case.stages, distance, own_distance=torch.inf)
        assert found[visual].item() == pytest.approx(ours, rel=1e-4, abs=KL_ROUNDING)
        assert ours > 2 * released


def visual_matching(out: NetworkOutput, stages: tuple[int, ...], distance: str, own_distance: float) -> float:
    """AVM-VV of raw vectors, where a frame's distance from itself is given."""
    of_stages = []
    for stage in stages:
        features, audio = out.features[stage - 1][0], out.audio[stage - 1][0]
        pooled = torch.nn.functional.adaptive_avg_pool2d(out.logits[0], features.shape[-2:])
        seen = (features * pooled.sigmoid()).mean(dim=(2, 3))
        apart = (audio[:, None] - audio[None]).norm(dim=-1)
        nearest = (apart + torch.zeros_like(apart).fill_diagonal_(own_distance)).argmin(dim=1)
        near = seen[nearest]
        if distance == "kl":
            of_stages.append((near.softmax(1) * (near.log_softmax(1) - seen.log_softmax(1))).sum())
        else:
            of_stages.append((near - seen + 1e-6).norm(dim=1).mean())
    return torch.stack(of_stages).mean().item()


def test_gradient_norms(case):
    expected = {n.removeprefix("gradnorm/"): v for n, v in case.expected.items() if n.startswith("gradnorm/")}
    assert len(expected) >= 6
    for name, value in expected.items():
        assert case.gradients[name] == pytest.approx(float(value), rel=1e-2), name


def test_goes_back_to_the_references_entries(case):
    back = to_reference(case.net)
    assert back.keys() == case.entries.keys()
    for name, value in case.entries.items():
        if not name.startswith(("resnet.layer3_2.", "resnet.layer4_2.")):
            assert torch.equal(back[name], value), name


def test_vggish(parity, filled):
    expected = np.load(parity / "audio_airplane_16k.npz")
    with torch.no_grad():
        embedding = VGGish.from_reference(filled("vggish"))(torch.from_numpy(expected["log_mel"]))
    assert_near(embedding, expected["embedding"])
