"""What stands at a network's end: a head owns its output and the loss that trains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

from avs_lightning.frames import Lengths, flatten_frames, unflatten_frames
from avs_lightning.losses import mask_loss
from avs_lightning.models.output import NetworkOutput

if TYPE_CHECKING:
    from avs_lightning.data import ClipBatch


class Head(nn.Module):
    """Fused stages -> masks. A decoder defines `forward`; what has more than masks to return overrides `output`.

    forward(stages, size): relu(z_i), i = 1..4, [B, C, H_i, W_i] at strides 4, 8, 16, 32 of an image of `size` (height,
    width) -> logits [B, K, *size].

    A configuration names it by `_target_`; its constructor takes `channels` (C, of every stage), `classes` (K, number
    of logits a pixel) and whatever options stand in its file.

    Attributes:
        reads: the stages (1-4) that take part.
    """

    reads: tuple[int, ...] = (1, 2, 3, 4)

    def output(
        self, features: list[Tensor], audio: list[Tensor | None], size: tuple[int, int], lengths: Lengths = None
    ) -> NetworkOutput:
        """Return what the network returns.

        Args:
            features: relu(z_i), i = 1..4, [B, T, C, H_i, W_i].
            audio: per stage the audio vectors [B, T, C] that TPAVI hands on; None where it hears nothing.
            size: of the images.
            lengths: B numbers of frames that exist, the first ones; logits of padding are zero. None: all exist.
        """
        logits = self([flatten_frames(z, lengths) for z in features], size)
        return NetworkOutput(unflatten_frames(logits, features[0].shape[:2], lengths), features, audio)

    def losses(self, out: NetworkOutput, batch: ClipBatch) -> Mapping[str, Tensor]:
        """Return the weighted terms that train the masks, by name: "bce", or "ce" of several classes.

        The method adds its own.
        """
        name = "bce" if out.logits.shape[2] == 1 else "ce"
        return {name: mask_loss(out.logits, batch.labels, batch.labelled)}
