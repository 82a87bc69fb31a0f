"""Log-mels of a batch of clips: one call against a loop over patches."""

from collections.abc import Iterator
from functools import partial

import torch

from avs_lightning.benchmarks.measuring import Comparison, Place, Variant, Work
from avs_lightning.data import log_mel

RATE, PATCHES = 16_000, 5
HOP_SAMPLES, PATCH_SAMPLES = 96 * 160, 400 + 95 * 160


def compare_forms(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield 16 clips of 5 seconds."""
    clips = 2 if quick else 16
    batched, loop = (
        Variant(form, partial(prepare_log_mels, form == "loop", clips, place.device)) for form in ("batched", "loop")
    )
    yield Comparison(f"{clips} clips, 5 s, 16 kHz", batched, loop, clips)


def prepare_log_mels(looped: bool, clips: int, device: str) -> Work:
    """Return the log-mels of random clips."""
    torch.manual_seed(0)
    waveforms = torch.rand(clips, PATCHES * RATE, device=device) - 0.5
    return partial(log_mels_patch_by_patch, waveforms) if looped else partial(log_mel, waveforms, RATE, PATCHES)


def log_mels_patch_by_patch(waveforms: torch.Tensor) -> torch.Tensor:
    """Return what `log_mel` does for [clips, 80000] samples at 16 kHz, a clip and a patch at a time."""
    starts = range(0, PATCHES * HOP_SAMPLES, HOP_SAMPLES)
    return torch.stack(
        [
            torch.cat([log_mel(waveform[start : start + PATCH_SAMPLES], RATE, patches=1) for start in starts])
            for waveform in waveforms
        ]
    )
