import pytest
import torch
from torch.nn import functional as F

from avs_lightning.errors import UserError
from avs_lightning.methods.avs import VGGish


@pytest.fixture(scope="module")
def vggish() -> VGGish:
    torch.manual_seed(0)
    return VGGish().eval()


def test_flattens_height_width_channel(vggish):
    x = torch.randn(1, 1, 96, 64)
    with torch.no_grad():
        maps = vggish.features(x)[0]
        flat = torch.stack([maps[c, h, w] for h in range(6) for w in range(4) for c in range(512)])
        for i in (0, 2, 4):
            flat = F.relu(vggish.embeddings[i](flat))
        torch.testing.assert_close(vggish(x)[0], flat)


def test_keeps_leading_axes(vggish):
    x = torch.randn(2, 3, 1, 96, 64)
    with torch.no_grad():
        embeddings = vggish(x)
        torch.testing.assert_close(embeddings[1, 2], vggish(x[1, 2]))
    assert embeddings.shape == (2, 3, 128)
    assert embeddings.min() >= 0


def test_from_reference_is_whole_and_in_eval_mode(vggish):
    entries = {f"module.{name}": value for name, value in vggish.state_dict().items()}
    loaded = VGGish.from_reference(entries)
    assert not loaded.training
    x = torch.randn(1, 1, 96, 64)
    assert torch.equal(loaded(x), vggish(x))


def test_from_reference_lists_what_does_not_fit(vggish):
    entries = dict(vggish.state_dict())
    entries["features.99.weight"] = entries.pop("features.0.weight")
    entries["embeddings.4.bias"] = torch.zeros(64)
    with pytest.raises(UserError) as error:
        VGGish.from_reference(entries)
    for part in (
        "VGGish",
        "missing features.0.weight",
        "unexpected features.99.weight",
        "embeddings.4.bias is [64], expected [128]",
    ):
        assert part in str(error.value)
