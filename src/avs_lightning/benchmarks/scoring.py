"""The F-score: one histogram a frame against the loop over 255 thresholds."""

from collections.abc import Iterator
from functools import partial

import torch

from avs_lightning.benchmarks.measuring import Comparison, Place, Variant, Work
from avs_lightning.benchmarks.threshold_loop import looped_f_score
from avs_lightning.metrics import f_score


def compare_forms(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield 64 frames of 224 x 224 pixels."""
    frames, side = (2, 32) if quick else (64, 224)
    histogram, loop = (
        Variant(form, partial(prepare_score, form == "loop", frames, side, place.device))
        for form in ("histogram", "loop")
    )
    yield Comparison(f"{frames} frames, {side}²", histogram, loop, frames, "frames")


def prepare_score(looped: bool, frames: int, side: int, device: str) -> Work:
    """Return the scoring of random frames."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(1, frames, side, side, device=device)
    masks = (torch.rand(1, frames, side, side, device=device) > 0.7).float()
    return partial(looped_f_score, logits, masks) if looped else partial(f_score, logits, masks, "frame")
