from pathlib import Path

import numpy as np
import pytest
import torch

from avs_lightning.data import log_mel
from avs_lightning.data.audio import read_wav

PATCH_SAMPLES = 400 + 95 * 160


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5


def patch_by_patch(waveform: np.ndarray, patches: int) -> np.ndarray:
    """The definition, one frame and one triangle at a time, in float64."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    mel = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    out = np.empty((patches, 1, 96, 64))
    for patch in range(patches):
        for row in range(96):
            start = 160 * (96 * patch + row)
            magnitude = np.abs(np.fft.rfft(window * waveform[start : start + 400], 512))
            for band in range(64):
                up = (mel - edges[band]) / (edges[band + 1] - edges[band])
                down = (edges[band + 2] - mel) / (edges[band + 2] - edges[band + 1])
                weights = np.maximum(0, np.minimum(up, down))
                weights[0] = 0
                out[patch, 0, row, band] = np.log(weights @ magnitude + 0.01)
    return out


def test_reference_log_mel_of_a_real_sound(shared: Path) -> None:
    expected = np.load(shared / "parity" / "audio_airplane_16k.npz")["log_mel"]
    found = log_mel(read_wav(shared / "media" / "airplane_16k.wav"), 16_000)
    assert found.shape == (5, 1, 96, 64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4)


def test_definition_patch_by_patch() -> None:
    waveform = noise(400 + 160 * 191)
    expected = patch_by_patch(waveform.double().numpy(), patches=2)
    np.testing.assert_allclose(log_mel(waveform, 16_000, patches=2), expected, rtol=0, atol=2e-4)


def test_leading_axes_are_a_batch() -> None:
    waveforms = noise(2, 3, 80_000)
    batched = log_mel(waveforms, 16_000)
    assert batched.shape == (2, 3, 5, 1, 96, 64)
    torch.testing.assert_close(batched[1, 2], log_mel(waveforms[1, 2], 16_000))


def test_missing_patches_repeat_the_last_whole_one() -> None:
    waveform = noise(80_000)
    short = log_mel(waveform[: 160 * 96 + PATCH_SAMPLES + 7], 16_000)
    torch.testing.assert_close(short[:2], log_mel(waveform, 16_000)[:2])
    for patch in (2, 3, 4):
        torch.testing.assert_close(short[patch], short[1], rtol=0, atol=0)


@pytest.mark.parametrize("samples", [0, 1, 399, PATCH_SAMPLES - 1])
def test_less_than_one_patch_is_filled_with_silence(samples: int) -> None:
    waveform = noise(PATCH_SAMPLES)
    filled = torch.cat([waveform[:samples], torch.zeros(PATCH_SAMPLES - samples)])
    torch.testing.assert_close(log_mel(waveform[:samples], 16_000, 3), log_mel(filled, 16_000, 3))


def test_more_than_the_patches_is_cut() -> None:
    waveform = noise(100_000)
    torch.testing.assert_close(log_mel(waveform, 16_000, 2), log_mel(waveform, 16_000, 6)[:2])


def test_silence_is_the_logarithm_of_the_offset() -> None:
    torch.testing.assert_close(log_mel(torch.zeros(80_000), 16_000), torch.full((5, 1, 96, 64), 0.01).log())


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_other_rates_hear_the_same_tone(rate: int) -> None:
    def tone(rate: int) -> torch.Tensor:
        return 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(5 * rate) / rate)

    expected, found = log_mel(tone(16_000), 16_000), log_mel(tone(rate), rate)
    assert found.shape == expected.shape
    assert (found.argmax(-1) == expected.argmax(-1)).all()
    assert (found.amax(-1) - expected.amax(-1)).abs().max() < 0.05


def test_gradient_is_the_slope() -> None:
    waveform, direction = noise(PATCH_SAMPLES), torch.randn(PATCH_SAMPLES, generator=torch.Generator().manual_seed(1))
    waveform.requires_grad_()
    log_mel(waveform, 16_000, 1).mean().backward()
    step = 1e-3 * direction
    with torch.no_grad():
        rise = (log_mel(waveform + step, 16_000, 1) - log_mel(waveform - step, 16_000, 1)).mean() / 2
    assert waveform.grad is not None
    torch.testing.assert_close((waveform.grad * step).sum(), rise, rtol=2e-2, atol=1e-7)


def test_gradient_of_silence_is_finite() -> None:
    waveform = torch.zeros(PATCH_SAMPLES, requires_grad=True)
    log_mel(waveform, 16_000, 1).sum().backward()
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()


def test_first_use_in_inference_mode_does_not_spoil_training() -> None:
    from avs_lightning.data.spectrogram import _mel_matrix, _window

    _mel_matrix.cache_clear()
    _window.cache_clear()
    with torch.inference_mode():
        log_mel(noise(PATCH_SAMPLES), 16_000, 1)
    log_mel(noise(PATCH_SAMPLES).requires_grad_(), 16_000, 1).sum().backward()


def test_autocast_does_not_lower_the_precision() -> None:
    waveform = noise(PATCH_SAMPLES)
    with torch.autocast("cpu", torch.bfloat16):
        inside = log_mel(waveform, 16_000, 1)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, log_mel(waveform, 16_000, 1), rtol=0, atol=0)


def test_no_patches_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one patch"):
        log_mel(noise(80_000), 16_000, 0)
