import re

import pytest
import safetensors.torch
import timm
import torch
from timm.layers import DropPath

from avs_lightning.errors import UserError
from avs_lightning.methods.avs.reference_names import reference_name
from avs_lightning.models import encoders
from avs_lightning.models.encoders import VisualEncoder

NAMES = (
    "resnet18",
    "pvt_v2_b0",
    "convnext_atto",
    "swin_tiny_patch4_window7_224",
    "efficientnet_b0",
    "mobilenetv3_small_050",
)


@pytest.mark.parametrize("name", NAMES)
def test_four_maps_at_strides_4_to_32(name):
    encoder = VisualEncoder(name, image_size=64).eval()
    with torch.no_grad():
        maps = encoder(torch.zeros(2, 3, 64, 64))
    assert [tuple(x.shape) for x in maps] == [
        (2, c, 64 // s, 64 // s) for c, s in zip(encoder.channels, (4, 8, 16, 32), strict=True)
    ]


def test_unknown_name_lists_near_matches():
    with pytest.raises(UserError, match=r"unknown encoder 'resnet5'.*did you mean .*resnet50"):
        VisualEncoder("resnet5")


def test_unknown_tag_lists_the_tags():
    with pytest.raises(UserError, match=r"resnet18\.nonsense.*resnet18\.a1_in1k"):
        VisualEncoder("resnet18.nonsense")


def test_backbone_without_the_strides_says_which_it_has():
    with pytest.raises(UserError, match=r"vit_tiny_patch16_224.*\(16, 16, 16, 16\).*\(4, 8, 16, 32\)"):
        VisualEncoder("vit_tiny_patch16_224")


def test_backbone_that_cannot_be_built():
    with pytest.raises(UserError, match="swin_tiny_patch4_window7_224"):
        VisualEncoder("swin_tiny_patch4_window7_224", image_size=-7)


def test_frozen_means_no_gradient_and_fixed_statistics():
    encoder = VisualEncoder("resnet18", frozen=True).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    maps = encoder(torch.randn(2, 3, 64, 64))
    assert not maps[-1].requires_grad
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert VisualEncoder("resnet18").train()(torch.randn(2, 3, 64, 64))[-1].requires_grad


def same_backbone(encoder: VisualEncoder, model: torch.nn.Module) -> bool:
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        return torch.equal(encoder.eval()(x)[-1], model.eval().forward_features(x))


def test_a_local_file_in_torchvisions_form(tmp_path):
    model = timm.create_model("resnet18")
    torch.nn.init.uniform_(model.bn1.running_mean)
    # As in torchvision's first files: with its classifier, without counts of batches.
    entries = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    assert "fc.weight" in entries
    torch.save(entries, tmp_path / "resnet18.pth")
    assert same_backbone(VisualEncoder("resnet18", str(tmp_path / "resnet18.pth")), model)


def test_a_local_file_in_pvts_official_form(tmp_path):
    model = timm.create_model("pvt_v2_b0")
    official = {}
    for name, value in model.state_dict().items():
        ours = "encoder.backbone." + re.sub(r"^stages\.", "stages_", name)
        official[re.sub(r"^encoder\.backbone\.|^encoder_backbone\.", "", reference_name(ours, "pvt_v2_b0"))] = value
    assert {"block1.0.mlp.dwconv.dwconv.weight", "norm4.bias", "patch_embed1.proj.bias", "head.bias"} < set(official)
    torch.save(official, tmp_path / "pvt_v2_b0.pth")
    assert same_backbone(VisualEncoder("pvt_v2_b0", str(tmp_path / "pvt_v2_b0.pth")), model)


def test_a_local_safetensors_file_of_timm(tmp_path):
    model = timm.create_model("convnext_atto")
    safetensors.torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    encoder = VisualEncoder("convnext_atto", str(tmp_path / "model.safetensors"))
    assert torch.equal(
        encoder.backbone.get_parameter("stages_3.blocks.1.mlp.fc2.bias"), model.stages[3].blocks[1].mlp.fc2.bias
    )


def test_a_local_file_that_does_not_fit_lists_its_entries(tmp_path):
    entries = timm.create_model("resnet18").state_dict()
    entries["stray.weight"] = entries.pop("layer1.0.conv1.weight")
    torch.save(entries, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"missing layer1\.0\.conv1\.weight; unexpected stray\.weight"):
        VisualEncoder("resnet18", str(tmp_path / "odd.pth"))
    with pytest.raises(UserError, match="pvt_v2_b0"):
        VisualEncoder("pvt_v2_b0", str(tmp_path / "odd.pth"))
    with pytest.raises(UserError, match=r"there is no weights file .*gone\.pth"):
        VisualEncoder("resnet18", str(tmp_path / "gone.pth"))


def test_weights_that_cannot_be_fetched(monkeypatch):
    create = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained:
            raise OSError("Name or service not known")
        return create(name, **options)

    monkeypatch.setattr(encoders.timm, "create_model", offline)
    with pytest.raises(
        UserError, match=r"timm/resnet50\.tv_in1k.*encoder\.weights=/path/to/file.*encoder\.weights=none"
    ):
        VisualEncoder("resnet50", "imagenet")


def test_model_without_published_weights():
    name = next(n for n in timm.list_models("resnet*") if not timm.is_model_pretrained(n))
    with pytest.raises(UserError, match=r"no weights of .*encoder\.weights=none"):
        VisualEncoder(name, "imagenet")


def depths(module):
    return [m.drop_prob for m in module.modules() if isinstance(m, DropPath)]


def test_stochastic_depth_grows_linearly_over_the_52_blocks_of_pvt_v2_b5():
    encoder = VisualEncoder("pvt_v2_b5", image_size=64, drop_path=0.1)
    expected = [rate for block in range(1, 52) for rate in 2 * [0.1 * block / 51]]  # the first of the 52 has none
    assert depths(encoder) == pytest.approx(expected, abs=1e-8)
    assert depths(encoder) == depths(timm.create_model("pvt_v2_b5", drop_path_rate=0.1))
    assert depths(VisualEncoder("pvt_v2_b5", image_size=64)) == []


def test_stochastic_depth_is_of_training_alone_and_never_in_a_frozen_encoder():
    images = torch.randn(4, 3, 64, 64)
    plain, deep, frozen = (VisualEncoder("pvt_v2_b0", drop_path=rate, frozen=rate == 0.9) for rate in (0, 0.5, 0.9))
    for encoder in (deep, frozen):
        encoder.load_state_dict(plain.state_dict())
    with torch.no_grad():
        same = plain.eval()(images)[-1]
        assert torch.equal(deep.eval()(images)[-1], same)
        assert torch.equal(frozen.train()(images)[-1], same)
        assert not torch.equal(deep.train()(images)[-1], same)


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "hrnet_w18"])
def test_a_backbone_without_stochastic_depth_says_so(name):
    with pytest.raises(UserError, match=rf"encoder\.drop_path=0\.1: {name} knows no stochastic depth"):
        VisualEncoder(name, drop_path=0.1)


@pytest.mark.parametrize("rate", [-0.1, 1])
def test_a_rate_of_stochastic_depth_that_is_none(rate):
    with pytest.raises(UserError, match=rf"encoder\.drop_path={rate}: .*from 0 to below 1"):
        VisualEncoder("resnet18", drop_path=rate)
