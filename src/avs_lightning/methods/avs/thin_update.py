"""The two passes of TPAVI over its positions, in blocks that stay in the processor's cache.

At 56x56 positions and above, what streams through memory decides the time. Forward, x is read twice and the result
written; backward, the sum is made again block by block, and of x's size there is nothing but the gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK_BYTES = 2**21  # a block and its gradient, of one core's share of the cache


class ThinRead(torch.autograd.Function):
    """Scores of x with a few queries, and x summed over each frame; hands x on, so that its gradients meet here."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, query: Tensor, bias: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Read.

        Args:
            ctx: of autograd.
            x: [B, N, C], N = frames * pixels.
            query: [B, K, C].
            bias: [B, K, 1], of the scores.
            frames: T.

        Returns:
            x; scores query x^T + bias [B, K, N]; sums [B, T, C], in fp32 at least.
        """
        sums = x.unflatten(1, (frames, -1)).sum(2, dtype=torch.promote_types(x.dtype, torch.float32))
        ctx.save_for_backward(x, query)
        return x.view_as(x), torch.baddbmm(bias, query, x.mT), sums

    @staticmethod
    def backward(ctx: Any, of_x: Tensor, of_scores: Tensor, of_sums: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, query and bias."""
        x, query = ctx.saved_tensors
        to_x, to_query = torch.empty_like(x), torch.zeros_like(query)
        pixels, of_sums = x.shape[1] // of_sums.shape[1], of_sums.to(x.dtype)
        for clip, block in _blocks(x, pixels):
            scores = of_scores[clip, :, block]
            direct = of_x[clip, block] + of_sums[clip, block.start // pixels]
            torch.addmm(direct, scores.mT, query[clip], out=to_x[clip, block])
            to_query[clip].addmm_(scores, x[clip, block])
        return to_x, to_query, of_scores.sum(2, keepdim=True), None


class ThinUpdateNorm(torch.autograd.Function):
    """LayerNorm(x + scores^T matrix) over channels, without keeping the sum for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scores: Tensor, matrix: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        """X [B, N, C], scores [B, K, N], matrix [B, K, C], LayerNorm's weight and bias [C] -> [B, N, C]."""
        result = torch.empty(x.shape, dtype=weight.dtype, device=x.device)
        for clip, block in _blocks(x):
            summed = torch.addmm(x[clip, block], scores[clip, :, block].mT, matrix[clip]).to(weight.dtype)
            result[clip, block] = torch.native_layer_norm(summed, summed.shape[-1:], weight, bias, eps)[0]
        ctx.save_for_backward(x, scores, matrix, weight, bias)
        ctx.eps = eps
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, scores, matrix, weight and bias."""
        x, scores, matrix, weight, bias = ctx.saved_tensors
        to_x, to_scores, to_matrix = torch.empty_like(x), torch.empty_like(scores), torch.zeros_like(matrix)
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for clip, block in _blocks(x):
            s, m = scores[clip, :, block], matrix[clip]
            summed = torch.addmm(x[clip, block], s.mT, m).to(weight.dtype)
            shape = summed.shape[-1:]
            _, mean, rstd = torch.native_layer_norm(summed, shape, weight, bias, ctx.eps)
            inner, of_weight, of_bias = torch.ops.aten.native_layer_norm_backward(
                gradient[clip, block].contiguous(), summed, shape, mean, rstd, weight, bias, [True, True, True]
            )
            inner = inner.to(x.dtype)
            to_weight += of_weight
            to_bias += of_bias
            to_x[clip, block] = inner
            to_scores[clip, :, block] = m @ inner.mT
            to_matrix[clip].addmm_(s, inner)
        return to_x, to_scores, to_matrix, to_weight, to_bias, None


def _blocks(x: Tensor, run: int | None = None) -> list[tuple[int, slice]]:
    """Clip and positions of each block, none across two runs (frames); on an accelerator as few as can be."""
    clips, positions, channels = x.shape
    run = run or positions
    rows = max(1, BLOCK_BYTES // (channels * x.element_size())) if x.device.type == "cpu" else run
    starts = ((first, start) for first in range(0, positions, run) for start in range(first, first + run, rows))
    blocks = [slice(start, min(start + rows, first + run)) for first, start in starts]
    return [(clip, block) for clip in range(clips) for block in blocks]
