"""The neck: brings every stage of the encoder to the same number of channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

DILATIONS = (3, 6, 12, 18)


class DilatedSum(nn.Module):
    """The sum of four 3x3 convolutions of growing dilation, [B, in, H, W] -> [B, out, H, W].

    Where a dilation reaches beyond the map on all sides only its centre tap sees anything, and a 1x1 convolution does.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(in_channels, out_channels, 3, padding=d, dilation=d) for d in DILATIONS)
        for conv in self.convs:
            nn.init.normal_(conv.get_parameter("weight"), std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H, W]."""
        near = sum(dilation < max(x.shape[-2:]) for dilation in DILATIONS)
        maps = [conv(x) for conv in self.convs[:near]]
        if centred := [(conv.get_parameter("weight"), conv.get_parameter("bias")) for conv in self.convs[near:]]:
            weight = sum((w[:, :, 1:2, 1:2] for w, _ in centred[1:]), start=centred[0][0][:, :, 1:2, 1:2])
            maps.append(F.conv2d(x, weight, sum((b for _, b in centred[1:]), start=centred[0][1])))
        return sum(maps[1:], start=maps[0])


class Neck(nn.ModuleList):
    """One `DilatedSum` a stage."""

    def __init__(self, in_channels: Sequence[int], out_channels: int) -> None:
        super().__init__(DilatedSum(channels, out_channels) for channels in in_channels)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the stages [B, in_i, H_i, W_i] -> [B, out, H_i, W_i]."""
        return [conv(x) for conv, x in zip(self, maps, strict=True)]
