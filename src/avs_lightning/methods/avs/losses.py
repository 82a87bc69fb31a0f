"""The audio-visual matching losses of AVS (Zhou et al., ECCV 2022), from a network's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from avs_lightning.errors import UserError, choose
from avs_lightning.losses import full_precision, gather_frames, mean_rows
from avs_lightning.models.output import NetworkOutput

Distance = Literal["kl", "euclidean"]


def avm_audio(
    out: NetworkOutput,
    stages: Sequence[int] = (1, 2, 3, 4),
    distance: Distance = "kl",
    labelled: Tensor | None = None,
    normalize: bool = False,
) -> Tensor:
    """Return AVM-AV, the paper's L_AVM: what is masked should look like what is heard (its eq. 4).

    Args:
        out: a network's output; its audio vectors of the chosen stages are needed.
        stages: from 1 to 4; the loss is the mean over them.
        distance: "kl" for KL(softmax(audio) || softmax(visual)), summed over frames and channels, so that it grows with
            the batch as in the released code; "euclidean" for the mean pairwise distance.
        labelled: [B, T], the frames to count; None for all.
        normalize: L2-normalise audio and masked visual vectors first. The released MS3 recipe does not, though its loss
            function would by default: on raw vectors the loss is tens to hundreds of times larger.

    Raises:
        UserError: for an unknown distance, and for a stage without audio vectors.
    """

    def of_stage(audio: Tensor, visual: Tensor, kept: Tensor) -> Tensor:
        return _distance(audio, visual, distance, kept)

    return _mean_over_stages(out, stages, labelled, _soft_masked, normalize, of_stage)


def avm_visual(
    out: NetworkOutput,
    stages: Sequence[int] = (1, 2, 3, 4),
    distance: Distance = "kl",
    labelled: Tensor | None = None,
    normalize: bool = False,
) -> Tensor:
    """Return AVM-VV: what is masked should look alike in the two frames that sound most alike.

    Each frame is compared with the other frame of the (global) batch whose audio vector is nearest; a lone frame has no
    other and costs nothing. Arguments and errors are those of `avm_audio`.

    The released code keeps a frame from being its own neighbour by adding 10 to its distance from itself. Raw vectors
    are often farther apart than 10: there it then is its own neighbour after all, and costs nothing. Here it never is.
    """

    def of_stage(audio: Tensor, visual: Tensor, kept: Tensor) -> Tensor:
        apart = torch.cdist(audio.detach(), audio.detach(), compute_mode="donot_use_mm_for_euclid_dist")
        nearest = apart.fill_diagonal_(torch.inf).masked_fill_(~kept, torch.inf).argmin(dim=-1)
        return _distance(visual[nearest], visual, distance, kept & (kept.sum() > 1))

    return _mean_over_stages(out, stages, labelled, _soft_masked, normalize, of_stage)


def avm_cosine(out: NetworkOutput, stages: Sequence[int] = (1, 2, 3, 4), labelled: Tensor | None = None) -> Tensor:
    """Return the released S4 code's variant of AVM-AV: -ln(relu(cosine) + 1e-6) with a mask cut at 0.5.

    The cut mask carries no gradient: only features and audio vectors learn from it. Arguments and errors are those of
    `avm_audio`.
    """

    def of_stage(audio: Tensor, visual: Tensor, kept: Tensor) -> Tensor:
        return mean_rows(-((audio * visual).sum(dim=-1).relu() + 1e-6).log(), kept)

    return _mean_over_stages(out, stages, labelled, _hard_masked, True, of_stage)


def _mean_over_stages(
    out: NetworkOutput,
    stages: Sequence[int],
    labelled: Tensor | None,
    masked: Callable[[Tensor, Tensor], Tensor],
    normalize: bool,
    of_stage: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Tensor:
    """Average over stages a loss of audio and masked features, both [rows, C], and of which rows are kept, [rows]."""
    losses = []
    for stage in _checked(out, stages):
        audio = out.audio[stage - 1]
        assert audio is not None
        visual = masked(full_precision(out.features[stage - 1].flatten(0, 1)), full_precision(out.logits))
        pairs = torch.stack([full_precision(audio.flatten(0, 1)), visual], dim=1)
        rows, kept = gather_frames(F.normalize(pairs, dim=-1) if normalize else pairs, out.logits, labelled)
        losses.append(of_stage(rows[:, 0], rows[:, 1], kept))
    return torch.stack(losses).mean()


def _soft_masked(features: Tensor, logits: Tensor) -> Tensor:
    """Average features [rows, C, h, w] times the sigmoid of the pooled logits [B, T, 1, H, W].

    Of several classes times the share of pixels that are predicted as any but the background, which has no gradient.
    """
    weights = _pool_like(features, logits).sigmoid() if logits.shape[2] == 1 else _pool_like(features, _sounds(logits))
    return (features * weights).mean(dim=(2, 3))


def _hard_masked(features: Tensor, logits: Tensor) -> Tensor:
    """Average features over the pixels whose pooled sigmoid exceeds 0.5."""
    mask = (_pool_like(features, logits.sigmoid() if logits.shape[2] == 1 else _sounds(logits)) > 0.5).to(features)
    return (features * mask).sum(dim=(2, 3)) / (mask.sum(dim=(2, 3)) + 1e-6)


def _sounds(logits: Tensor) -> Tensor:
    """1 where a pixel is predicted as any class but the background, [B, T, K, H, W] -> [B, T, 1, H, W]."""
    return (logits.argmax(dim=2, keepdim=True) > 0).to(logits)


def _pool_like(features: Tensor, maps: Tensor) -> Tensor:
    """Average-pool maps [B, T, 1, H, W] to the size of features [B*T, C, h, w]."""
    height, width = features.shape[-2:]
    return F.adaptive_avg_pool2d(maps.flatten(0, 1), (height, width))


def _distance(target: Tensor, estimate: Tensor, distance: str, kept: Tensor) -> Tensor:
    if choose(distance, ("kl", "euclidean"), "avm_distance") == "kl":
        return _kl(target, estimate).where(kept, 0).sum()
    return mean_rows(F.pairwise_distance(target, estimate, eps=1e-6), kept)


def _kl(target: Tensor, estimate: Tensor) -> Tensor:
    """Return KL(softmax(target) || softmax(estimate)) of each row.

    With p = softmax(target) and d = target - estimate this is sum(p d) + ln(sum(p exp(-d))), also for d less its mean.
    Where the vectors are nearly equal, as unit vectors are, the difference of two logarithms would lose all digits but
    a few; where they are far apart, exp would overflow.
    """
    log_p, d = target.log_softmax(dim=-1), target - estimate
    p, d = log_p.exp(), d - d.mean(dim=-1, keepdim=True)
    near = d.detach().abs().amax(dim=-1, keepdim=True) < 1
    of_near = (p * torch.expm1(-d.where(near, 0))).sum(dim=-1).log1p()
    return (p * d).sum(dim=-1) + of_near.where(near[..., 0], (log_p - d).logsumexp(dim=-1))


def _checked(out: NetworkOutput, stages: Sequence[int]) -> Sequence[int]:
    heard = [i for i, audio in enumerate(out.audio, start=1) if audio is not None]
    if missing := [stage for stage in stages if stage not in heard]:
        have = f"stages with audio: {', '.join(map(str, heard))}" if heard else "no stage of this network has any"
        raise UserError(
            f"the audio-visual matching loss needs audio vectors at stage {', '.join(map(str, missing))} ({have}): "
            "choose among those, or fuse audio at the stages of the loss (fusion.stages)"
        )
    if not stages:
        raise UserError("the audio-visual matching loss needs at least one stage, from 1 to 4; got none")
    return stages
