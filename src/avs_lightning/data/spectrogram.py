"""The log-mel spectrogram that VGGish was trained on, exactly, as one batched torch function."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from avs_lightning.data.resampling import resample

RATE = 16_000
WINDOW = 400
HOP = 160
FFT = 512
PATCH_FRAMES = 96
MELS = 64
LOWEST_HZ, HIGHEST_HZ = 125.0, 7500.0
LOG_OFFSET = 0.01


def log_mel(waveform: Tensor, rate: int, patches: int = 5, length: Tensor | None = None) -> Tensor:
    """Turn a waveform into VGGish log-mel patches.

    Hann-windowed frames of 25 ms every 10 ms without padding, magnitudes of a 512-point FFT, 64 triangles that are
    linear in mel, `ln(mel + 0.01)`, and patches of 96 frames (0.96 s) without overlap. It differs from a stock mel
    spectrogram (triangles linear in Hz) by up to 3.5 nats.

    A missing patch repeats the last one that there is, as in the released code: so give a short sound as short as it
    is, or say its `length`. Only below one patch (15,600 samples at 16 kHz) silence fills it up, since there is nothing
    to repeat. More than `patches` is cut.

    Args:
        waveform: [..., S] mono samples in [-1, 1]; any other floating type is computed in float32.
        rate: samples a second of `waveform`; resampled where it is not 16 kHz.
        patches: the number of patches wanted, one for each second of the clip.
        length: [...] int64, samples of each waveform that were recorded, the rest is silence; None for all.

    Returns:
        [..., patches, 1, 96, 64] float32 on the waveform's device, differentiable in `waveform`.

    Source: Hershey et al., "CNN Architectures for Large-Scale Audio Classification", and its released feature code.
    """
    if patches < 1:
        raise ValueError(f"patches={patches}: at least one patch is needed")
    recorded = None if length is None else -(-length * RATE // rate)
    waveform = resample(waveform.float(), rate, RATE)
    if recorded is not None:  # resampling lets a sound ring on into the silence after it
        waveform = waveform * (torch.arange(waveform.shape[-1], device=waveform.device) < recorded[..., None])
    wanted = min(patches, max(1, _whole_patches(waveform.shape[-1])))
    samples = WINDOW + HOP * (wanted * PATCH_FRAMES - 1)
    waveform = torch.nn.functional.pad(waveform, (0, max(0, samples - waveform.shape[-1])))[..., :samples]

    # Autocast would take the product with the mel matrix in half precision.
    with torch.autocast(waveform.device.type, enabled=False):
        frames = waveform.unfold(-1, WINDOW, HOP) * _window(waveform.device)
        magnitude = torch.fft.rfft(frames, n=FFT).abs()
        features = torch.log(magnitude @ _mel_matrix(waveform.device) + LOG_OFFSET)
    features = features.unflatten(-2, (wanted, 1, PATCH_FRAMES))
    last = torch.tensor(wanted - 1) if recorded is None else (_whole_patches(recorded) - 1).clamp(0, wanted - 1)
    place = torch.arange(patches, device=features.device).minimum(last.to(features.device)[..., None])
    place = place[..., None, None, None].expand(*features.shape[:-4], patches, 1, 1, 1)
    return features.take_along_dim(place, dim=-4)


def _whole_patches(samples: Any) -> Any:
    """How many patches so many samples at 16 kHz fill."""
    return (samples - WINDOW + HOP) // (HOP * PATCH_FRAMES)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a tensor made in inference mode could not be used in training later
def _window(device: torch.device) -> Tensor:
    return torch.hann_window(WINDOW, periodic=True, device=device)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _mel_matrix(device: torch.device) -> Tensor:
    """[257, 64]: the weight of each FFT bin in each mel band; made in float64, where rounding does not show."""
    bins = _hertz_to_mel(torch.linspace(0, RATE / 2, FFT // 2 + 1, dtype=torch.float64))[:, None]
    low, high = _hertz_to_mel(torch.tensor([LOWEST_HZ, HIGHEST_HZ], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, MELS + 2, dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    triangles = torch.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clamp(min=0)
    return triangles.to(device, torch.float32)


def _hertz_to_mel(hertz: Tensor) -> Tensor:
    return 1127 * torch.log1p(hertz / 700)
