"""TPAVI: temporal pixel-wise audio-visual interaction, in its exact linear form."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.distributed as dist
import torch.distributed.nn.functional
from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.errors import choose
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

    def forward(self, x: Tensor, audio: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Fuse.

        Args:
            x: [B, C, T, H, W].
            audio: [B, T, audio_channels]; None lets the pixels attend to each other.

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
            if self.scope == "frame":  # each frame is a clip of its own
                z = self.fuse(tokens.reshape(b * t, 1, h * w, c), None if a is None else a.reshape(b * t, 1, c))
            else:
                z = self.fuse(tokens, a)
        return z.reshape(b, t, h, w, c).permute(0, 4, 1, 2, 3), a

    def fuse(self, tokens: Tensor, a: Tensor | None) -> Tensor:
        """LayerNorm(BN(W_z y) + x), of tokens x [B, T, P, C] and audio vectors [B, T, C] or None: [B, T*P, C].

        W_z y is a product s m + bias of two thin matrices, so that its BatchNorm statistics follow from the moments of
        s, and BatchNorm itself goes into m and bias: of the size of x, nothing is made but the result.
        """
        x = tokens.flatten(1, 2)
        if a is None:
            matrix, bias = self._batch_norm(self._attend_to_pixels(x), x.shape[1])
            matrix = matrix + torch.eye(x.shape[2], dtype=matrix.dtype, device=x.device)  # + x
            return self.norm_layer(torch.baddbmm(bias.to(x.dtype), x, matrix.to(x.dtype)))
        x, product = self._attend_to_audio(x, a)
        matrix, bias = self._batch_norm(product, x.shape[1])
        # One more score, of 1 at every position, for the bias.
        scores = torch.cat([product.scores, torch.ones_like(product.scores[:, :1])], 1)
        matrix, norm = torch.cat([matrix, bias.expand(len(x), 1, -1)], 1).to(x.dtype), self.norm_layer
        z: Tensor = ThinUpdateNorm.apply(x, scores, matrix, norm.weight, norm.bias, norm.eps)
        return z

    def _attend_to_audio(self, x: Tensor, a: Tensor) -> tuple[Tensor, _Product]:
        """The scores theta^T phi have T columns; W_z g is summed over each second."""
        dtype, t, n = _precise(x), a.shape[1], x.shape[1]
        (theta, theta_bias), (phi, phi_bias), (g, g_bias), (out, out_bias) = self._matrices(dtype)
        keys = F.linear(a, phi, phi_bias)
        query, query_bias = keys @ theta, (keys @ theta_bias).unsqueeze(2)
        x, scores, sums = ThinRead.apply(x, query.to(x.dtype), query_bias.to(x.dtype), t)
        values = F.linear(sums, g, n / t * g_bias) / n
        mean = scores.mean(2, keepdim=True, dtype=dtype)
        centred = scores.to(dtype) - mean
        return x, _Product(scores, mean.mT, centred @ centred.mT / n, values @ out.T, out_bias)

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
        return _Product(x.mT, mean, covariance, theta.T @ write, bias)

    def _batch_norm(self, product: _Product, positions: int) -> tuple[Tensor, Tensor]:
        """Put BatchNorm into matrix [B, K, C] and bias [B or 1, 1, C] of a product with `positions` rows a clip."""
        norm, matrix = cast(nn.BatchNorm2d, self.W_z[1]), product.matrix
        running_mean, running_var = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        if norm.training:
            means = product.mean @ matrix + product.bias
            within = (matrix * (product.covariance @ matrix)).sum(1, keepdim=True)
            means, within = _of_all_processes(norm, means), _of_all_processes(norm, within)
            mean = means.mean(0)
            variance = (within + (means - mean).square()).mean(0)
            with torch.no_grad():
                count, momentum = len(means) * positions, cast(float, norm.momentum)
                norm.get_buffer("num_batches_tracked").add_(1)
                running_mean.lerp_(mean[0].to(running_mean.dtype), momentum)
                unbiased = variance[0] * (count / max(count - 1, 1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        else:
            mean, variance = running_mean.to(matrix.dtype), running_var.to(matrix.dtype)
        scale = norm.weight * (variance + norm.eps).rsqrt()
        return matrix * scale, (product.bias - mean) * scale + norm.bias

    def _matrices(self, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        return [_matrix(layer, dtype) for layer in (self.theta, self.phi, self.g, self.W_z[0])]


class _Product(NamedTuple):
    """W_z y = scores^T matrix + bias, and the moments of the scores over a clip's N positions."""

    scores: Tensor  # [B, K, N]
    mean: Tensor  # [B, 1, K]
    covariance: Tensor  # [B, K, K]
    matrix: Tensor  # [B, K, C]
    bias: Tensor  # [C] or [B, 1, C]


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
