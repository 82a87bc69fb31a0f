"""TPAVI as published, with its N x N matrix: the oracle of the tests and the baseline of the benchmark."""

from torch import Tensor

from avs_lightning.methods.avs.tpavi import TPAVI


class QuadraticTPAVI(TPAVI):
    """`TPAVI` with the same parameters and results, computed through the explicit N x N matrix.

    Memory grows with N^2: about 1 GB a clip for the one matrix at 56x56 and T = 5.
    """

    def fuse(self, tokens: Tensor, a: Tensor | None) -> Tensor:
        """LayerNorm(BN(W_z y) + x), of tokens x [B, T, P, C] and audio vectors [B, T, C] or None: [B, T*P, C]."""
        pixels = tokens.shape[2]
        x = tokens.flatten(1, 2).mT[..., None, None]
        heard = x if a is None else a.repeat_interleave(pixels, dim=1).mT[..., None, None]
        theta, phi, g = (layer(of).flatten(2) for layer, of in ((self.theta, x), (self.phi, heard), (self.g, x)))
        attention = theta.mT @ phi / x.shape[2]
        z = self.W_z((attention @ g.mT).mT[..., None, None]) + x
        return self.norm_layer(z.flatten(2).mT)
