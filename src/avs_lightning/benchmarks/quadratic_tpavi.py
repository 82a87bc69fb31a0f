"""TPAVI as published, with its N x N matrix: the oracle of the tests and the baseline of the benchmark."""

from collections.abc import Sequence

import torch
from torch import Tensor

from avs_lightning.methods.avs.tpavi import TPAVI


class QuadraticTPAVI(TPAVI):
    """`TPAVI` with the same parameters and results, computed through the explicit N x N matrix.

    Memory grows with N^2: about 1 GB a clip for the one matrix at 56x56 and T = 5.
    """

    def fuse(self, groups: Sequence[tuple[Tensor, Tensor | None]], counts: Tensor | None = None) -> list[Tensor]:
        """LayerNorm(BN(W_z y) + x), of tokens x [B, T, P, C] and audio vectors [B, T, C] or None: [B, T*P, C]."""
        inputs = [tokens.flatten(1, 2).mT[..., None, None] for tokens, _ in groups]
        updates = [self._attend(x, a) for x, (_, a) in zip(inputs, groups)]
        rows = torch.cat([update.flatten(2).transpose(0, 1).flatten(1) for update in updates], 1)  # [C, positions]
        if counts is None or not self.training:
            normed = self.W_z[1](rows[None, ..., None, None])[0, ..., 0, 0]
        else:
            counted = counts.flatten().repeat_interleave(inputs[0].shape[2])
            normed = torch.zeros_like(rows)
            normed[:, counted] = self.W_z[1](rows[None, :, counted, None, None])[0, ..., 0, 0]
        parts = normed.split([x.shape[0] * x.shape[2] for x in inputs], 1)
        sums = [part.unflatten(1, (len(x), -1)).transpose(0, 1) + x.flatten(2) for part, x in zip(parts, inputs)]
        return [self.norm_layer(z.mT) for z in sums]

    def _attend(self, x: Tensor, a: Tensor | None) -> Tensor:
        frames = 1 if a is None else a.shape[1]
        heard = x if a is None else a.repeat_interleave(x.shape[2] // frames, dim=1).mT[..., None, None]
        theta, phi, g = (layer(of).flatten(2) for layer, of in ((self.theta, x), (self.phi, heard), (self.g, x)))
        attention = theta.mT @ phi / x.shape[2]
        update: Tensor = self.W_z[0]((attention @ g.mT).mT[..., None, None])
        return update
