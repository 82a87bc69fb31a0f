import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from avs_lightning.errors import UserError
from avs_lightning.models.decoders import ReferenceDecoder, build_decoder
from avs_lightning.models.smp_decoders import SMP_DECODERS


def random_stages(channels: int, size: int, batch: int = 2, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, channels, size // s, size // s, generator=generator, dtype=dtype) for s in (4, 8, 16, 32)
    ]


def with_relu_in_place(decoder: ReferenceDecoder, stages: list[Tensor]) -> Tensor:
    """The reference's order of operations, its in-place ReLU included."""

    def conv(layer, x):
        return F.conv2d(x, layer.weight, layer.bias, padding=layer.padding)

    def unit(m, x):
        r = F.relu(x, inplace=True)
        return conv(m.conv2, F.relu(conv(m.conv1, r), inplace=True)) + x

    path = None
    for block, z in zip(reversed(decoder.paths), reversed(stages), strict=True):
        out = z if path is None else path + unit(block.skip, z)
        path = F.interpolate(unit(block.refine, out), scale_factor=2, mode="bilinear", align_corners=True)
    head = decoder.head
    x = F.interpolate(conv(head[0], path), scale_factor=2, mode="bilinear", align_corners=False)
    return conv(head[4], F.relu(conv(head[2], x)))


def test_reference_decoder_equals_the_one_with_relu_in_place():
    torch.manual_seed(0)
    decoder, stages = ReferenceDecoder(8).double(), random_stages(8, 64, dtype=torch.float64)
    found = decoder([F.relu(z) for z in stages], (64, 64))
    raw = [z.clone() for z in stages]
    torch.testing.assert_close(found, with_relu_in_place(decoder, raw))
    for z, left in zip(stages, raw, strict=True):  # what the losses see
        torch.testing.assert_close(left, F.relu(z))


def test_reference_decoder_fits_any_image():
    stages = [torch.rand(1, 8, *size) for size in ((13, 18), (7, 9), (4, 5), (2, 3))]
    assert ReferenceDecoder(8, classes=3)(stages, (50, 70)).shape == (1, 3, 50, 70)


@pytest.mark.parametrize("name", ["reference", *SMP_DECODERS])
def test_every_decoder_gives_logits_and_trains_all_it_reads(name):
    decoder, size = build_decoder({"name": name, "channels": 16}), 64
    stages = [z.relu().requires_grad_() for z in random_stages(16, size)]
    logits = decoder(stages, (size, size))
    assert logits.shape == (2, 1, size, size)
    logits.square().mean().backward()
    assert [i for i, z in enumerate(stages, start=1) if z.grad is not None and z.grad.any()] == list(decoder.reads)
    assert [n for n, p in decoder.named_parameters() if p.requires_grad and p.grad is None] == []


def test_smp_decoders_refuse_sizes_they_cannot_halve():
    with pytest.raises(ValueError, match="decoder=unet needs images whose sides are multiples of 32"):
        build_decoder({"name": "unet", "channels": 16})(random_stages(16, 64), (64, 60))


def test_unknown_decoder_lists_the_known_ones():
    with pytest.raises(UserError, match=r"did you mean .*unet.*reference, fpn, unet"):
        build_decoder({"name": "unett", "channels": 16})
