"""TPAVI: temporal pixel-wise audio-visual interaction, in its exact linear form."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.errors import UserError, near_matches

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
        if scope not in SCOPES:
            raise UserError(
                f"unknown TPAVI scope {scope!r}{near_matches(scope, SCOPES)} (fusion.scope={'|'.join(SCOPES)})"
            )
        self.scope = scope
        inner = max(channels // 2, 1)
        self.align_channel = nn.Linear(audio_channels, channels)
        self.norm_layer = nn.LayerNorm(channels)
        self.g = nn.Conv3d(channels, inner, 1)
        self.theta = nn.Conv3d(channels, inner, 1)
        self.phi = nn.Conv3d(channels, inner, 1)
        # A zero scale makes the module start as LayerNorm(x).
        norm = nn.BatchNorm2d(channels)
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
            update = self.attend(tokens.reshape(b * t, 1, h * w, c), None if a is None else a.reshape(b * t, 1, c))
        else:
            update = self.attend(tokens, a)
        # BatchNorm2d on a channels-last view has the statistics of BatchNorm3d on [B, C, T, H, W], and is faster.
        update = self.W_z[1](update.reshape(b, t * h, w, c).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        z = self.norm_layer(update.reshape(tokens.shape) + tokens)
        return z.reshape(b, t, h, w, c).permute(0, 4, 1, 2, 3), a

    def attend(self, tokens: Tensor, a: Tensor | None) -> Tensor:
        """W_z y, before the BatchNorm, of tokens [B, T, P, C] and audio vectors [B, T, C] or None: [B, T*P, C]."""
        return self._attend_to_pixels(tokens.flatten(1, 2)) if a is None else self._attend_to_audio(tokens, a)

    def _attend_to_audio(self, tokens: Tensor, a: Tensor) -> Tensor:
        t, pixels = tokens.shape[1:3]
        dtype = _precise(tokens)
        (theta, theta_bias), (phi, phi_bias), (g, g_bias), (out, out_bias) = self._matrices(dtype)
        with torch.autocast(tokens.device.type, enabled=False):
            keys = F.linear(a, phi, phi_bias)
            values = F.linear(tokens.sum(2, dtype=dtype), g, pixels * g_bias) / (t * pixels)
            read, read_bias = keys @ theta, keys @ theta_bias
            write = values @ out.T
        # [B, N, C] -> [B, T, N] -> [B, N, C]. Scores made as rows let the backward pass, too, read tokens row by row.
        tokens = tokens.flatten(1, 2)
        scores = torch.baddbmm(read_bias.unsqueeze(2).to(tokens.dtype), read.to(tokens.dtype), tokens.mT)
        return torch.baddbmm(out_bias.to(scores.dtype), scores.mT, write.to(scores.dtype))

    def _attend_to_pixels(self, tokens: Tensor) -> Tensor:
        dtype = _precise(tokens)
        (theta, theta_bias), (phi, phi_bias), (g, g_bias), (out, out_bias) = self._matrices(dtype)
        moments = torch.baddbmm(tokens.new_zeros(()), tokens.mT, tokens, beta=0, alpha=1 / tokens.shape[1])
        mean = tokens.mean(1, keepdim=True, dtype=dtype)
        with torch.autocast(tokens.device.type, enabled=False):
            # (1/N) phi g^T, [B, C/2, C/2]; phi(x) = phi x + phi_bias, g likewise.
            middle = phi @ moments.to(dtype) @ g.T + F.linear(mean, phi).mT * g_bias
            middle = middle + phi_bias[:, None] * F.linear(mean, g, g_bias)
            write = middle @ out.T
            product, bias = theta.T @ write, theta_bias @ write + out_bias
        return torch.baddbmm(bias.unsqueeze(1).to(tokens.dtype), tokens, product.to(tokens.dtype))

    def _matrices(self, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        return [_matrix(layer, dtype) for layer in (self.theta, self.phi, self.g, self.W_z[0])]


def _precise(x: Tensor) -> torch.dtype:
    """Of the sums over N positions and of the small matrices made of them, under autocast too: fp32 at least."""
    return torch.promote_types(x.dtype, torch.float32)


def _matrix(layer: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight [out, in] and bias [out] of a linear layer or 1x1x1 convolution."""
    return layer.get_parameter("weight").flatten(1).to(dtype), layer.get_parameter("bias").to(dtype)
