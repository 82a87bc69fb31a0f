"""A head of one's own: a second, coarse prediction from stage 4 is trained beside the fine one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.data import ClipBatch
from avs_lightning.frames import Lengths, flatten_frames, unflatten_frames
from avs_lightning.losses import mask_loss
from avs_lightning.models import NetworkOutput
from avs_lightning.models.heads import Head


@dataclass(repr=False)
class TwoOutputs(NetworkOutput):
    """With the coarse logits, [B, T, K, H, W]."""

    coarse: Tensor = field(default_factory=lambda: torch.empty(0))


class TwoHeads(Head):
    """The sum of all stages, and stage 4 alone.

    Args:
        channels: of every stage.
        classes: K, number of logits a pixel.
        coarse_weight: of the loss of the coarse prediction.
    """

    def __init__(self, channels: int, classes: int = 1, coarse_weight: float = 0.4) -> None:
        super().__init__()
        self.coarse_weight = coarse_weight
        self.fine, self.coarse = nn.Conv2d(channels, classes, 1), nn.Conv2d(channels, classes, 1)

    def output(
        self, features: list[Tensor], audio: list[Tensor | None], size: tuple[int, int], lengths: Lengths = None
    ) -> TwoOutputs:
        """Return both; of padding, zeros."""

        def whole(x: Tensor) -> Tensor:
            return F.interpolate(x, size, mode="bilinear", align_corners=False)

        def clips(logits: Tensor) -> Tensor:
            return unflatten_frames(whole(logits), features[0].shape[:2], lengths)

        maps = [flatten_frames(z, lengths) for z in features]
        fine = self.fine(torch.stack([F.interpolate(z, maps[0].shape[-2:]) for z in maps]).sum(0))
        return TwoOutputs(clips(fine), features, audio, clips(self.coarse(maps[-1])))

    def losses(self, out: NetworkOutput, batch: ClipBatch) -> Mapping[str, Tensor]:
        """Cross entropy of both."""
        assert isinstance(out, TwoOutputs)
        coarse = mask_loss(out.coarse, batch.labels, batch.labelled)
        return {**super().losses(out, batch), "coarse": self.coarse_weight * coarse}
