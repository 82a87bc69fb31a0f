"""What is heard in clips: waveforms of different lengths, log-mels, and batches of both."""

import pytest
import torch

from avs_lightning.data import Sound, log_mel
from avs_lightning.data.sound import collate_sounds

RATE = 16_000


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(samples, generator=torch.Generator().manual_seed(seed)) - 0.5


@pytest.mark.parametrize("rate", [RATE, 8_000, 44_100])
def test_a_batch_hears_each_clip_as_if_it_were_alone(rate: int) -> None:
    waveforms = [noise(round(seconds * rate), seed) for seed, seconds in enumerate((5, 4.5, 2.2, 0.3))]
    batch = collate_sounds([Sound.of(waveform, rate, samples=5 * rate) for waveform in waveforms], 5)
    assert batch.waveform is not None
    assert batch.waveform.shape == (4, 5 * rate)
    found = batch.patches(5)
    for patches, waveform in zip(found, waveforms):
        torch.testing.assert_close(patches, log_mel(waveform, rate, 5), rtol=0, atol=2e-5)
    assert torch.equal(found[2, 4], found[2, 1])  # the last whole patch again, and not silence


def test_where_one_clip_has_its_log_mel_alone_all_are_heard_by_theirs() -> None:
    patches = torch.randn(5, 1, 96, 64)
    batch = collate_sounds([Sound.of(noise(5 * RATE), RATE), Sound.from_log_mel(patches)], 5)
    assert batch.waveform is None
    assert torch.equal(batch.patches(5)[1], patches)
    assert torch.equal(batch.patches(5)[0], log_mel(noise(5 * RATE), RATE))


def test_seconds_in_another_order() -> None:
    order = torch.tensor([2, 0, 1])
    sound = Sound.of(torch.arange(3.0).repeat_interleave(RATE), RATE).reordered(order)
    assert sound.waveform is not None
    assert sound.waveform.view(3, RATE)[:, 0].tolist() == [2, 0, 1]
    patches = torch.randn(3, 1, 96, 64)
    assert torch.equal(Sound.from_log_mel(patches).reordered(order).patches(3), patches[order])


@pytest.mark.parametrize("sound", [Sound.of(noise(3 * RATE), RATE), Sound.from_log_mel(torch.randn(3, 1, 96, 64))])
def test_silence_is_as_long_as_the_clip(sound: Sound) -> None:
    silence = sound.silent(3)
    assert silence.waveform is not None
    assert silence.waveform.shape == (3 * RATE,)
    assert not silence.waveform.any()
    assert torch.equal(silence.patches(3), log_mel(torch.zeros(3 * RATE), RATE, 3))
