import pytest
import torch

from avs_lightning import AVS
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import VGGish
from avs_lightning.methods.avs.released import describe_reference, to_reference

ENCODERS = ("resnet50", "pvt_v2_b5")


@pytest.fixture(scope="module", params=ENCODERS)
def entries(request) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return to_reference(AVS(request.param, stages=(2, 4)))


def encoder_of(entries: dict[str, torch.Tensor]) -> str:
    return "resnet50" if "resnet.conv1.weight" in entries else "pvt_v2_b5"


def test_names_are_the_references(entries):
    expected = {
        "conv1.conv2d_list.3.bias",
        "path4.resConfUnit1.conv2.weight",
        "path1.resConfUnit2.conv1.bias",
        "tpavi_b2.W_z.1.running_var",
        "tpavi_b4.align_channel.weight",
        "output_conv.4.weight",
    }
    if encoder_of(entries) == "resnet50":
        expected |= {
            "resnet.layer2.0.conv1.weight",
            "resnet.layer3_1.0.bn1.running_mean",
            "resnet.layer4_2.1.conv2.weight",
        }
    else:
        expected |= {"encoder_backbone.patch_embed1.proj.weight", "encoder_backbone.block3.1.mlp.dwconv.dwconv.weight"}
        expected |= {"encoder_backbone.norm4.bias", "encoder_backbone.patch_embed4.norm.weight"}
    assert expected < set(entries)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_there_and_back(entries, prefix):
    net = AVS.from_reference({prefix + n: v for n, v in entries.items()}, encoder_of(entries), stages=(2, 4))
    assert not net.training
    back = to_reference(net)
    assert back.keys() == entries.keys()
    assert all(torch.equal(back[name], entries[name]) for name in entries)


def test_twins_may_be_there_or_not(entries):
    twins = ("resnet.layer3_2.", "resnet.layer4_2.")
    without = {name: value for name, value in entries.items() if not name.startswith(twins)}
    assert (len(without) < len(entries)) is (encoder_of(entries) == "resnet50")
    AVS.from_reference(without, encoder_of(entries), stages=(2, 4))


def test_what_does_not_fit_is_listed(entries):
    wrong = dict(entries)
    wrong["conv9.weight"] = wrong.pop("conv1.conv2d_list.0.weight")
    wrong["output_conv.4.bias"] = torch.zeros(7)
    with pytest.raises(UserError) as error:
        AVS.from_reference(wrong, encoder_of(entries), stages=(2, 4))
    for part in (
        "missing conv1.conv2d_list.0.weight",
        "unexpected conv9.weight",
        "output_conv.4.bias is [7], expected [1]",
    ):
        assert part in str(error.value)


def test_stages_asked_for_must_be_there_and_others_are_left_out_aloud(entries):
    with pytest.raises(UserError, match=r"missing tpavi_b3\.align_channel\.weight"):
        AVS.from_reference(entries, encoder_of(entries), stages=(2, 3, 4))
    with pytest.warns(UserWarning, match=r"TPAVI modules at stages \[2\]"):
        AVS.from_reference(entries, encoder_of(entries), stages=(4,))


def test_describes_a_checkpoint_by_its_entries():
    torch.manual_seed(0)
    net = AVS("resnet50", stages=(1, 3))
    found = describe_reference({"state_dict": to_reference(net)})
    assert (found.encoder, found.stages) == ("resnet50", (1, 3))
    own = net.state_dict()
    assert found.entries.keys() == own.keys()
    assert all(torch.equal(found.entries[name], own[name]) for name in own)


def test_something_else_is_no_checkpoint_of_theirs():
    with pytest.raises(UserError, match=r"no checkpoint of the released AVS.*layer\.weight"):
        describe_reference({"layer.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"scope": "frame"}, "scope=frame, only with clip"),
        ({"decoder": "fpn"}, "decoder=fpn, only with reference"),
        ({"encoder": "convnext_atto"}, "encoder=convnext_atto, only with resnet50 or pvt_v2_b5"),
        ({"encoder": "resnet18"}, "encoder=resnet18, only with resnet50 or pvt_v2_b5"),
        ({"channels": 32}, "channels=32, only with 256"),
        ({"audio_channels": 64}, "audio_channels=64, only with 128"),
    ],
)
def test_what_the_reference_lacks_is_not_written(options, message):
    with pytest.raises(UserError, match=message):
        to_reference(AVS(**{"encoder": "resnet50", "stages": (4,), **options}))


def test_vggish_there_and_back():
    torch.manual_seed(0)
    entries = to_reference(VGGish())
    assert {"features.13.weight", "embeddings.4.bias"} < set(entries)
    back = to_reference(VGGish.from_reference(entries))
    assert all(torch.equal(back[name], entries[name]) for name in entries)
