"""What losses of masks share, from logits.

**Several processes.** Each loss collects its few numbers a frame from all processes (`gather_rows`) before it reduces
them, so every process holds the loss of the global batch. The gathering's backward pass sums over the W processes and
DDP then averages over them: W / W = 1, the gradient is that of one process on the global batch.

**No waiting.** Which frames count is known on the device alone: `where` chooses them, not a boolean index, for whose
length the host would wait.

**Precision.** Half precision is taken to float32 first, and nothing here is an operation that autocast would take back.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.distributed.nn.functional
from torch import Tensor
from torch.nn import functional as F


def gather_rows(rows: Tensor) -> Tensor:
    """Join the rows (first axis, equally many) of all processes, in rank order; the gradient flows back to each.

    Nothing is gathered where gradients are off: in evaluation processes may hold different numbers of batches, and
    one would wait for the others forever.
    """
    if not (torch.is_grad_enabled() and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return rows
    return torch.cat(torch.distributed.nn.functional.all_gather(rows))


def mask_loss(logits: Tensor, labels: Tensor, labelled: Tensor | None = None) -> Tensor:
    """Return the cross entropy, the mean over the pixels of all labelled frames; 0 where there is none.

    Binary for one logit a pixel, where every class but the background sounds.

    Args:
        logits: [B, T, K, H, W].
        labels: [B, T, H, W], the class of each pixel.
        labelled: [B, T], the frames that carry a mask; None for all.
    """
    logits = full_precision(logits)
    if logits.shape[2] == 1:
        pixels = F.binary_cross_entropy_with_logits(logits[:, :, 0], (labels > 0).to(logits), reduction="none")
    else:
        pixels = F.cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1).long(), reduction="none")
    frames, kept = gather_frames(pixels.mean(dim=(-2, -1)).flatten(), logits, labelled)
    return mean_rows(frames, kept)


def full_precision(values: Tensor) -> Tensor:
    """Return single precision for half; double stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def gather_frames(rows: Tensor, logits: Tensor, labelled: Tensor | None) -> tuple[Tensor, Tensor]:
    """Gather rows, one a frame, and which of them are labelled, from all processes."""
    if labelled is None:
        labelled = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    return gather_rows(rows), gather_rows(labelled.flatten().byte()).bool()


def mean_rows(rows: Tensor, kept: Tensor) -> Tensor:
    """Return the mean of the kept rows, and where there is none a zero that keeps the graph."""
    return rows.where(kept, 0).sum() / kept.sum().clamp(min=1)
