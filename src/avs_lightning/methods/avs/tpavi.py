"""TPAVI: temporal pixel-wise audio-visual interaction, in its exact linear form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, cast

import torch
import torch.distributed as dist
import torch.distributed.nn.functional
from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.errors import choose
from avs_lightning.frames import Lengths, existing, on_device
from avs_lightning.methods.avs.thin_update import ThinRead, ThinUpdateNorm

SCOPES = ("clip", "frame")


class TPAVI(nn.Module):
    """Let every pixel receive what the sounds (or all other pixels) have in common with it.

    With N positions, the published y = (1/N) theta^T phi g holds an N x N matrix, but nothing non-linear stands between
    its products. They are re-associated here, so that cost and memory grow with N instead of N^2, at the same result:

    - audio: phi reads a vector that is constant over a frame, so it has T distinct columns, and g is only ever needed
      summed over a frame. What remains are two products with T-row matrices.
    - visual (no audio): phi g^T follows from the second moments of x, and the whole update is one C x C matrix a clip.

    The entries of the state dict have the names and shapes of the reference's.

    Args:
        channels: C, of the features.
        audio_channels: of the audio embedding (128 in VGGish).
        scope: "clip" as published, where each pixel receives from all seconds alike; or "frame", where each frame
            attends to its own second only.

    Source: Zhou et al., "Audio-Visual Segmentation", ECCV 2022, eq. 2, and its released code.
    """

    def __init__(self, channels: int = 256, audio_channels: int = 128, scope: str = "clip") -> None:
        super().__init__()
        self.scope = choose(scope, SCOPES, "fusion.scope")
        inner = max(channels // 2, 1)
        self.align_channel = nn.Linear(audio_channels, channels)
        self.norm_layer = nn.LayerNorm(channels)
        self.g = nn.Conv3d(channels, inner, 1)
        self.theta = nn.Conv3d(channels, inner, 1)
        self.phi = nn.Conv3d(channels, inner, 1)
        # A zero scale makes the module start as LayerNorm(x).
        norm = nn.BatchNorm3d(channels)
        nn.init.zeros_(norm.weight)
        self.W_z = nn.Sequential(nn.Conv3d(inner, channels, 1), norm)

    def forward(self, x: Tensor, audio: Tensor | None = None, lengths: Lengths = None) -> tuple[Tensor, Tensor | None]:
        """Fuse.

        Args:
            x: [B, C, T, H, W].
            audio: [B, T, audio_channels]; None lets the pixels attend to each other.
            lengths: B numbers of frames that exist, the first ones: each clip is fused as if it had no others, and N is
                its own; in z they are zero. None: all.

        Returns:
            z: [B, C, T, H, W], channels last in memory.
            a: [B, T, C], the audio vectors that the losses use; None without audio.
        """
        b, c, t, h, w = x.shape
        if audio is not None and audio.shape != (b, t, self.align_channel.in_features):
            raise ValueError(
                f"audio has shape {tuple(audio.shape)}, but x of shape {tuple(x.shape)} [B, C, T, H, W] "
                f"needs [B, T, audio_channels] = {(b, t, self.align_channel.in_features)}"
            )
        tokens = x.permute(0, 2, 3, 4, 1).reshape(b, t, h * w, c)
        with torch.autocast(x.device.type, enabled=False):
            a = None if audio is None else F.linear(audio.to(_precise(x)), *_matrix(self.align_channel, _precise(x)))
            if self.scope == "frame":
                z = self._fuse_frames(tokens, a, lengths)
            elif lengths is None:
                z = self.fuse([(tokens, a)])[0]
            else:
                z = self._fuse_by_length(tokens, a, lengths)
        return z.reshape(b, t, h, w, c).permute(0, 4, 1, 2, 3), a

    def _fuse_frames(self, tokens: Tensor, a: Tensor | None, lengths: Lengths) -> Tensor:
        """Fuse each frame as a clip of its own, [B, T, P, C] -> [B*T, P, C]."""
        exists = None if lengths is None else existing(lengths, tokens.shape[1], tokens.device).view(-1, 1, 1)
        z = self.fuse(
            [(tokens.flatten(0, 1).unsqueeze(1), None if a is None else a.flatten(0, 1).unsqueeze(1))], exists
        )[0]
        return z if exists is None else z.where(exists, 0)

    def _fuse_by_length(self, tokens: Tensor, a: Tensor | None, lengths: Sequence[int]) -> Tensor:
        """Fuse together clips that are as long, [B, T, P, C] -> [B, T*P, C]."""
        frames, pixels = tokens.shape[1:3]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        groups = []
        for length, clips in groupby(order, key=lengths.__getitem__):
            index = on_device(list(clips), tokens.device)
            heard = None if a is None else a[:, :length].index_select(0, index)
            groups.append((tokens[:, :length].index_select(0, index), heard))
        z = torch.cat([F.pad(part, (0, 0, 0, frames * pixels - part.shape[1])) for part in self.fuse(groups)])
        return z.index_select(0, on_device([order.index(clip) for clip in range(len(order))], z.device))

    def fuse(self, groups: Sequence[tuple[Tensor, Tensor | None]], counts: Tensor | None = None) -> list[Tensor]:
        """LayerNorm(BN(W_z y) + x), of tokens x [B, T, P, C] and audio vectors [B, T, C] or None: [B, T*P, C].

        W_z y is a product s m + bias of two thin matrices, so that its BatchNorm statistics follow from the moments of
        s, and BatchNorm itself goes into m and bias: of the size of x, nothing is made but the result.

        Args:
            groups: x and audio vectors of clips that are as long; BatchNorm sees all of them together.
            counts: [B, 1, 1] bool, whether BatchNorm counts a clip of the one group; None: all.
        """
        read = [
            self._attend_to_pixels(x.flatten(1, 2)) if a is None else self._attend_to_audio(x.flatten(1, 2), a)
            for x, a in groups
        ]
        return [self._update(product) for product in self._batch_norm(read, counts)]

    def _update(self, product: _Product) -> Tensor:
        x, matrix, norm = product.x, product.matrix, self.norm_layer
        if product.scores is None:
            matrix = matrix + torch.eye(x.shape[2], dtype=matrix.dtype, device=x.device)  # + x
            return norm(torch.baddbmm(product.bias.to(x.dtype), x, matrix.to(x.dtype)))
        # One more score, of 1 at every position, for the bias.
        scores = torch.cat([product.scores, torch.ones_like(product.scores[:, :1])], 1)
        matrix = torch.cat([matrix, product.bias.expand(len(x), 1, -1)], 1).to(x.dtype)
        z: Tensor = ThinUpdateNorm.apply(x, scores, matrix, norm.weight, norm.bias, norm.eps)
        return z

    def _attend_to_audio(self, x: Tensor, a: Tensor) -> _Product:
        """The scores theta^T phi have T columns; W_z g is summed over each second."""
        dtype, t, n = _precise(x), a.shape[1], x.shape[1]
        (theta, theta_bias), (phi, phi_bias), (g, g_bias), (out, out_bias) = self._matrices(dtype)
        keys = F.linear(a, phi, phi_bias)
        query, query_bias = keys @ theta, (keys @ theta_bias).unsqueeze(2)
        x, scores, sums = ThinRead.apply(x, query.to(x.dtype), query_bias.to(x.dtype), t)
        values = F.linear(sums, g, n / t * g_bias) / n
        mean = scores.mean(2, keepdim=True, dtype=dtype)
        centred = scores.to(dtype) - mean
        return _Product(x, scores, mean.mT, centred @ centred.mT / n, values @ out.T, out_bias)

    def _attend_to_pixels(self, x: Tensor) -> _Product:
        """The scores are x itself; theta^T phi g^T W_z, a C x C matrix a clip, follows from x's second moments."""
        dtype = _precise(x)
        (theta, theta_bias), (phi, phi_bias), (g, g_bias), (out, out_bias) = self._matrices(dtype)
        mean = x.mean(1, keepdim=True, dtype=dtype)
        # Of what is left without the mean, and in full precision: rounding must not make a variance negative.
        centred = x.to(dtype) - mean
        covariance = centred.mT @ centred / x.shape[1]
        moments = covariance + mean.mT @ mean
        # (1/N) phi g^T, [B, C/2, C/2]; phi(x) = phi x + phi_bias, g likewise.
        middle = phi @ moments @ g.T + F.linear(mean, phi).mT * g_bias + phi_bias[:, None] * F.linear(mean, g, g_bias)
        write = middle @ out.T
        bias = (theta_bias @ write).unsqueeze(1) + out_bias
        return _Product(x, None, mean, covariance, theta.T @ write, bias)

    def _batch_norm(self, products: Sequence[_Product], counts: Tensor | None) -> list[_Product]:
        """Put BatchNorm into matrix and bias of products, whose statistics weigh each clip by its positions."""
        norm = cast(nn.BatchNorm2d, self.W_z[1])
        running_mean, running_var = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        if norm.training:
            means = torch.cat([product.mean @ product.matrix + product.bias for product in products])
            within = torch.cat([product.within() for product in products])
            sizes = torch.cat([means.new_full((len(p.x), 1, 1), p.x.shape[1]) for p in products])
            sizes = sizes if counts is None else sizes * counts
            means, within, sizes = (_of_all_processes(norm, rows) for rows in (means, within, sizes))
            weights = sizes / sizes.amax()
            total = weights.sum(0)
            mean = (weights * means).sum(0) / total
            variance = (weights * (within + (means - mean).square())).sum(0) / total
            with torch.no_grad():
                positions, momentum = sizes.sum(dtype=torch.float64), cast(float, norm.momentum)
                norm.get_buffer("num_batches_tracked").add_(1)
                running_mean.lerp_(mean[0].to(running_mean.dtype), momentum)
                unbiased = variance[0] * (positions / (positions - 1).clamp(min=1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        else:
            mean, variance = (s.to(products[0].matrix.dtype) for s in (running_mean, running_var))
        scale = norm.weight * (variance + norm.eps).rsqrt()
        return [p._replace(matrix=p.matrix * scale, bias=(p.bias - mean) * scale + norm.bias) for p in products]

    def _matrices(self, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        return [_matrix(layer, dtype) for layer in (self.theta, self.phi, self.g, self.W_z[0])]


class _Product(NamedTuple):
    """W_z y = scores^T matrix + bias, and the moments of the scores over a clip's N positions."""

    x: Tensor  # [B, N, C]
    scores: Tensor | None  # [B, K, N]; None: x
    mean: Tensor  # [B, 1, K]
    covariance: Tensor  # [B, K, K]
    matrix: Tensor  # [B, K, C]
    bias: Tensor  # [C] or [B, 1, C]

    def within(self) -> Tensor:
        """The variance of W_z y within each clip, [B, 1, C]."""
        return (self.matrix * (self.covariance @ self.matrix)).sum(1, keepdim=True)


def _of_all_processes(norm: nn.Module, rows: Tensor) -> Tensor:
    """Join the clips' rows of all processes where the BatchNorm is one that synchronises: it has a process group."""
    if not (hasattr(norm, "process_group") and dist.is_available() and dist.is_initialized()):
        return rows
    return torch.cat(dist.nn.functional.all_gather(rows.contiguous()))


def _precise(x: Tensor) -> torch.dtype:
    """Of the sums over N positions and of the small matrices made of them, under autocast too: fp32 at least."""
    return torch.promote_types(x.dtype, torch.float32)


def _matrix(layer: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight [out, in] and bias [out] of a linear layer or 1x1x1 convolution."""
    return layer.get_parameter("weight").flatten(1).to(dtype), layer.get_parameter("bias").to(dtype)
