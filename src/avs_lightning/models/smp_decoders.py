"""Decoders of segmentation_models_pytorch (smp) on the four fused stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.errors import choose
from avs_lightning.models.heads import Head


@dataclass(frozen=True)
class Recipe:
    """How a decoder of smp is built.

    Attributes:
        folder: of `segmentation_models_pytorch.decoders`.
        name: of the class.
        width: the option that says how many channels come out.
        options: of the class, by default.
        finer: how many maps, each of half the stride of the next, smp expects ahead of stage 1. They are given without
            channels. One of them makes smp take stride 4 for its 2: it then ends at half the image's resolution.
        reads: the stages that take part.
    """

    folder: str
    name: str
    width: str
    options: dict[str, Any]
    finer: int = 1
    reads: tuple[int, ...] = field(default=(1, 2, 3, 4))


_BLOCKS = {"n_blocks": 4, "decoder_channels": (256, 128, 64, 32)}
_ASPP = {"out_channels": 256, "atrous_rates": (12, 24, 36), "aspp_separable": True, "aspp_dropout": 0.5}
SMP_DECODERS = {
    "fpn": Recipe("fpn", "FPNDecoder", "segmentation_channels", {"encoder_depth": 4, "segmentation_channels": 128}),
    "unet": Recipe("unet", "UnetDecoder", "decoder_channels", _BLOCKS),
    "unetplusplus": Recipe("unetplusplus", "UnetPlusPlusDecoder", "decoder_channels", _BLOCKS),
    "manet": Recipe("manet", "MAnetDecoder", "decoder_channels", _BLOCKS),
    "linknet": Recipe("linknet", "LinknetDecoder", "prefinal_channels", {"n_blocks": 4, "prefinal_channels": 32}),
    "deeplabv3plus": Recipe(
        "deeplabv3",
        "DeepLabV3PlusDecoder",
        "out_channels",
        {"encoder_depth": 5, "output_stride": 16, **_ASPP},
        2,
        reads=(1, 4),
    ),
    "upernet": Recipe(
        "upernet", "UPerNetDecoder", "decoder_channels", {"encoder_depth": 5, "decoder_channels": 256}, 2
    ),
    "segformer": Recipe(
        "segformer", "SegformerDecoder", "segmentation_channels", {"encoder_depth": 5, "segmentation_channels": 256}, 2
    ),
}


class SMPDecoder(Head):
    """Four rectified stages -> logits at the image's resolution.

    Args:
        name: one of `SMP_DECODERS`. Of smp's others, PAN halves stage 4 three times, which leaves nothing of it;
            DeepLabV3 and PSPNet read stage 4 only; DPT is made for plain transformers.
        channels: C, of every stage.
        classes: K, number of logits a pixel.
        **options: of smp's decoder, in place of those in `SMP_DECODERS`.
    """

    def __init__(self, name: str, channels: int = 256, classes: int = 1, **options: Any) -> None:
        super().__init__()
        recipe = SMP_DECODERS[choose(name, SMP_DECODERS, "decoder.name")]
        options = {**recipe.options, **options}
        width = options[recipe.width]
        self.name, self.finer, self.reads = name, recipe.finer, recipe.reads
        module = import_module(f"segmentation_models_pytorch.decoders.{recipe.folder}.decoder")
        self.decoder = getattr(module, recipe.name)([0] * recipe.finer + [channels] * 4, **options)
        if name == "deeplabv3plus":  # it expects its coarse map at stride 16; stage 4 is at 32
            self.decoder.up = nn.Upsample(scale_factor=8, mode="bilinear", align_corners=True)
        self.head = nn.Conv2d(width[-1] if isinstance(width, Sequence) else width, classes, 3, padding=1)

    def forward(self, stages: list[Tensor], size: tuple[int, int]) -> Tensor:
        """relu(z_i), i = 1..4, [B, C, H_i, W_i] at strides 4, 8, 16, 32 of an image of `size` -> [B, K, *size].

        Raises:
            ValueError: an image whose sides are no multiples of 32.
        """
        if size[0] % 32 or size[1] % 32:
            raise ValueError(f"decoder={self.name} needs images whose sides are multiples of 32, not {size}")
        b, _, h, w = stages[0].shape
        finer = [stages[0].new_empty(b, 0, h << n, w << n) for n in range(self.finer, 0, -1)]
        logits = self.head(self.decoder([*finer, *stages]))
        return F.interpolate(logits, size, mode="bilinear", align_corners=False)
