"""Waveforms at another rate, by windowed sinc interpolation."""

import math
from functools import lru_cache

import torch
from torch import Tensor

ZERO_CROSSINGS = 6
ROLLOFF = 0.99
_WEIGHTS_AT_ONCE = 2**20


def resample(waveform: Tensor, rate: int, new_rate: int) -> Tensor:
    """Resample [..., S] samples at `rate` to [..., ceil(S * new_rate / rate)] at `new_rate`.

    Each output is a sum over the inputs nearest to it, weighted by a Hann-windowed sinc with six zero crossings on each
    side and a cut-off at 0.99 of the lower Nyquist frequency; outside the waveform there is silence. These are
    torchaudio's filter and its results. Its kernel has a row for each of new_rate / gcd phases, as wide as rate / gcd:
    gigabytes where the rates share no large factor. Here a row has only the weights that are not zero.

    Args:
        waveform: any floating type; differentiable.
        rate: of the waveform, samples a second.
        new_rate: of the result.
    """
    common = math.gcd(rate, new_rate)
    rate, new_rate = rate // common, new_rate // common
    if rate == new_rate:
        return waveform
    outputs = -(-waveform.shape[-1] * new_rate // rate)
    reach = _reach(rate, new_rate)
    padded = torch.nn.functional.pad(waveform, (reach, reach + 1))
    windows = padded.unfold(-1, 2 * reach + 1, 1)
    step = max(1, _WEIGHTS_AT_ONCE // (2 * reach + 1))
    step -= step % new_rate if step > new_rate else 0  # each part then has the weights of the first
    parts = []
    for start in range(0, outputs, step):
        positions = torch.arange(start, min(start + step, outputs), device=waveform.device)
        weights = _weights(rate, new_rate, start % new_rate, len(positions), waveform.device).to(waveform)
        nearest = positions * rate // new_rate
        parts.append((windows[..., nearest, :] * weights).sum(-1))
    return torch.cat(parts, dim=-1)


def _reach(rate: int, new_rate: int) -> int:
    """How many inputs on each side of an output have a weight."""
    return math.ceil(ZERO_CROSSINGS / ROLLOFF * max(1, rate / new_rate))


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # a tensor made in inference mode could not be used in training later
def _weights(rate: int, new_rate: int, phase: int, outputs: int, device: torch.device) -> Tensor:
    """[outputs, 2 * reach + 1]: the weight of each input from `reach` before the one that an output falls on."""
    reach, cutoff = _reach(rate, new_rate), ROLLOFF * min(rate, new_rate) / rate
    within = (torch.arange(phase, phase + outputs) * rate % new_rate).double() / new_rate
    distance = cutoff * (torch.arange(-reach, reach + 1).double() - within[:, None])
    window = torch.cos(math.pi / 2 * (distance / ZERO_CROSSINGS).clamp(-1, 1)).square()
    return (cutoff * torch.sinc(distance.clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)) * window).float().to(device)
