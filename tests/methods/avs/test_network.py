import pytest
import torch
from torch.nn import functional as F

from avs_lightning import AVS
from avs_lightning.errors import UserError

B, T, SIZE = 2, 3, 64
SMALL = {"encoder": "resnet18", "channels": 16, "image_size": SIZE}


def clip_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, T, 3, SIZE, SIZE, generator=generator), torch.randn(B, T, 128, generator=generator)


def network(**options) -> AVS:
    torch.manual_seed(0)
    net = AVS(**{**SMALL, **options})
    for tpavi in net.fusion.values():
        torch.nn.init.normal_(tpavi.W_z[1].weight)
    return net


@pytest.mark.parametrize(
    "options",
    [
        {"stages": ()},
        {"stages": (3, 4)},
        {"stages": (4, 1), "scope": "frame", "encoder": "pvt_v2_b0"},
        {"visual": True, "encoder": "swin_tiny_patch4_window7_224"},
        {"stages": (2,), "audio": False, "visual": True},
        {"decoder": "deeplabv3plus"},
        {"decoder": "fpn", "frozen_encoder": True},
    ],
)
def test_output_and_gradients_of_every_kind(options):
    net = network(**options)
    out = net(*clip_inputs())
    assert out.logits.shape == (B, T, 1, SIZE, SIZE)
    assert [tuple(z.shape) for z in out.features] == [(B, T, 16, SIZE // s, SIZE // s) for s in (4, 8, 16, 32)]
    assert all((z >= 0).all() for z in out.features)
    heard = net.stages if options.get("audio", True) else ()
    assert [None if a is None else tuple(a.shape) for a in out.audio] == [
        (B, T, 16) if i in heard else None for i in (1, 2, 3, 4)
    ]
    out.logits.square().mean().backward()
    # DistributedDataParallel waits for the gradient of every parameter that is trained.
    assert [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"scope": "frame"}, {"visual": True, "decoder": "fpn"}, {"stages": ()}])
def test_padding_changes_nothing(options, training):
    lengths, (images, audio) = [3, 2], clip_inputs()
    found = []
    for filling in (0.0, 5.0):
        net = network(classes=4, **options).train(training)
        images[1, 2], audio[1, 2] = filling, filling
        out = net(images, audio, lengths)
        out.logits.square().sum().backward()
        gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
        found.append({"logits": out.logits, **dict(net.named_buffers()), **gradients})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
    assert found[0]["logits"].shape == (B, T, 4, SIZE, SIZE)
    assert not found[0]["logits"][1, 2].any()
    net.eval()
    alone = net(images[1:, :2], audio[1:, :2])
    torch.testing.assert_close(net(images, audio, lengths).logits[1:, :2], alone.logits, rtol=1e-4, atol=1e-4)


def test_both_flags_use_one_module_visual_first():
    net = network(stages=(3,), visual=True)
    tpavi = net.fusion["3"]
    twin = network(stages=(3,), visual=True).fusion["3"]
    x = torch.randn(B, T, 16, 4, 4)
    audio = clip_inputs()[1]
    z, a = net.fuse(3, x, audio)
    seen = twin(x.transpose(1, 2))[0]
    heard, vectors = twin(x.transpose(1, 2), audio)
    torch.testing.assert_close(z.transpose(1, 2), (seen + heard) / 2)
    torch.testing.assert_close(a, vectors)
    torch.testing.assert_close(tpavi.W_z[1].running_mean, twin.W_z[1].running_mean)
    torch.testing.assert_close(tpavi.W_z[1].running_var, twin.W_z[1].running_var)


def test_a_stage_without_fusion_passes_its_neck_output_on():
    net, (images, audio) = network(stages=(4,)).eval(), clip_inputs()
    with torch.no_grad():
        out = net(images, audio)
        maps = net.neck(net.encoder(images.flatten(0, 1)))
    for i in (0, 1, 2):
        torch.testing.assert_close(out.features[i].flatten(0, 1), F.relu(maps[i]), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(out.features[3].flatten(0, 1), F.relu(maps[3]), atol=1e-2)


def test_the_mask_follows_the_sound_only_where_it_is_fused():
    images, audio = clip_inputs()
    with torch.no_grad():
        for stages, hears in (((), False), ((1, 2, 3, 4), True)):
            net = network(stages=stages).eval()
            assert torch.equal(net(images, audio).logits, net(images, 0 * audio).logits) is not hears
        network(stages=()).eval()(images)


def test_rebuilds_itself_from_plain_hyper_parameters():
    net = network(stages=[2, 4], scope="frame", decoder="fpn").eval()
    assert all(isinstance(v, str | int | float | bool | tuple) for v in net.hyper_parameters.values())
    twin = AVS(**net.hyper_parameters).eval()
    twin.load_state_dict(net.state_dict())
    inputs = clip_inputs()
    with torch.no_grad():
        assert torch.equal(twin(*inputs).logits, net(*inputs).logits)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"stages": (3, 5)}, r"fusion stage 5 does not exist: resnet18 has stages 1-4 \(fusion.stages=\[\.\.\.\]\)"),
        ({"audio": False}, "neither sound nor pixels"),
        ({"decoder": "unett"}, "did you mean unet"),
        ({"scope": "second"}, r"fusion\.scope=second .*clip, frame"),
        ({"encoder": "resnet1"}, "did you mean resnet1"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        AVS(**{**SMALL, **options})


def test_wrong_shapes_are_named():
    net, (images, audio) = network(), clip_inputs()
    with pytest.raises(ValueError, match=r"\[B, T, 3, H, W\], not \(6, 3, 64, 64\)"):
        net(images.flatten(0, 1), audio)
    with pytest.raises(ValueError, match=r"\(2, 3, 128\), not \(2, 2, 128\)"):
        net(images, audio[:, :2])
    with pytest.raises(ValueError, match="not None"):
        net(images)


def test_bf16_autocast_stays_close():
    net, inputs = network().eval(), clip_inputs()
    with torch.no_grad():
        expected = net(*inputs).logits
        with torch.autocast("cpu", torch.bfloat16):
            found = net(*inputs).logits.float()
    assert F.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.99
