"""The reference's decoder: from the coarsest stage down, adding one stage after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.errors import choose
from avs_lightning.models.heads import Head
from avs_lightning.models.smp_decoders import SMP_DECODERS, SMPDecoder
from avs_lightning.targets import build, dotted_path


class ResidualUnit(nn.Module):
    """r + conv(relu(conv(r))) of a rectified map r, [B, C, H, W] -> [B, C, H, W].

    The reference adds its input x after an in-place ReLU has rectified it; here the caller hands over r = relu(x).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, r: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        return r + self.conv2(F.relu(self.conv1(r)))


class FusionBlock(nn.Module):
    """Add a stage to the path from above, refine, and enlarge to the next stage's size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.skip = ResidualUnit(channels)
        self.refine = ResidualUnit(channels)

    def forward(self, above: Tensor | None, z: Tensor, size: tuple[int, int]) -> Tensor:
        """Path [B, C, h, w] (None at the top) and rectified stage [B, C, h, w] -> [B, C, *size]."""
        r = z if above is None else F.relu(above + self.skip(z))
        return F.interpolate(self.refine(r), size, mode="bilinear", align_corners=True)


class Upsample2(nn.Module):
    """Twice the size, bilinearly."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2H, 2W]."""
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class ReferenceDecoder(Head):
    """Four rectified stages -> logits at the image's resolution.

    Args:
        channels: C, of every stage.
        classes: K, number of logits a pixel.
    """

    def __init__(self, channels: int = 256, classes: int = 1) -> None:
        super().__init__()
        self.paths = nn.ModuleList(FusionBlock(channels) for _ in range(4))
        # The top has nothing to add to. Its unit takes part in the reference's checkpoints only.
        self.paths[3].skip.requires_grad_(False)
        self.head = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 3, padding=1),
            Upsample2(),
            nn.Conv2d(channels // 2, channels // 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels // 8, classes, 1),
        )

    def forward(self, stages: list[Tensor], size: tuple[int, int]) -> Tensor:
        """relu(z_i), i = 1..4, [B, C, H_i, W_i] at strides 4, 8, 16, 32 of an image of `size` -> [B, K, *size]."""
        path: Tensor | None = None
        for i in (3, 2, 1, 0):
            below = stages[i - 1].shape[-2:] if i else [2 * n for n in stages[0].shape[-2:]]
            path = self.paths[i](path, stages[i], (below[0], below[1]))
        logits: Tensor = self.head(path)
        if logits.shape[-2:] != size:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        return logits


def build_decoder(options: Mapping[str, Any]) -> Head:
    """Build a head.

    Args:
        options: `channels`, further arguments of the class, and either its `_target_` or `name`: "reference" or one of
            `SMP_DECODERS`.

    Raises:
        UserError: an unknown decoder, or one that refuses its options; lists the known ones.
    """
    options = dict(options)
    if "_target_" not in options:
        name, known = options.pop("name"), ("reference", *SMP_DECODERS)
        choose(name, known, "decoder")
        options |= {"_target_": dotted_path(ReferenceDecoder if name == "reference" else SMPDecoder)}
        options |= {} if name == "reference" else {"name": name}
    return build(options, "decoder", Head)
