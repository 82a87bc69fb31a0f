"""Resampling: torchaudio's results, at a cost that does not depend on the rates' common factor."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torchaudio.functional

from avs_lightning.data.resampling import resample


def noise(samples: int) -> torch.Tensor:
    return torch.rand(samples, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_torchaudio_resamples_to_the_same(rate: int) -> None:
    waveform = noise(rate + 7).double()
    expected = torchaudio.functional.resample(waveform, rate, 16_000)
    torch.testing.assert_close(resample(waveform, rate, 16_000), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [1_009, 8_001, 15_999, 16_001, 44_101, 47_999, 383_993])
def test_a_tone_stays_a_tone_at_any_rate(rate: int) -> None:
    hertz = 200.0
    tone = torch.from_numpy(np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).float()
    found = resample(tone, rate, 16_000)
    assert found.shape == (16_000,)
    expected = torch.from_numpy(np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)).float()
    torch.testing.assert_close(found[500:-500], expected[500:-500], rtol=0, atol=0.01)


def test_leading_axes_are_a_batch_and_gradients_flow() -> None:
    batch = noise(2 * 3 * 4_001).reshape(2, 3, 4_001).requires_grad_()
    found = resample(batch, 44_101, 16_000)
    torch.testing.assert_close(found[1, 2], resample(batch[1, 2], 44_101, 16_000))
    found.square().sum().backward()
    assert batch.grad is not None
    assert batch.grad.abs().amin(-1).isfinite().all()
    assert batch.grad.any(-1).all()


def test_rates_without_a_common_factor_take_little_memory() -> None:
    code = """
import resource, torch
from avs_lightning.data.resampling import resample
resample(torch.zeros(100), 8_000, 16_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resample(torch.zeros(5 * 44_101), 44_101, 16_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    kibibytes = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert kibibytes < 200 * 1024  # torchaudio's kernel alone has 4 GiB
