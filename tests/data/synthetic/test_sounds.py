import numpy as np
import pytest
import torch

from avs_lightning.data.spectrogram import log_mel
from avs_lightning.data.synthetic.categories import CATEGORIES, DEMO_CATEGORIES
from avs_lightning.data.synthetic.rendering import render_sound
from avs_lightning.data.synthetic.scenes import plan_scene
from avs_lightning.data.synthetic.sounds import FADE, RATE, SAMPLES, Tuning, gate, synthesise
from avs_lightning.data.synthetic.voices import VOICES


def features(sounds: list[np.ndarray]) -> np.ndarray:
    """Mean and spread over time of each second's log-mel patch: [sounds, 5, 128]."""
    patches = log_mel(torch.from_numpy(np.array(sounds, dtype=np.float32)), RATE)[:, :, 0].numpy()
    return np.concatenate([patches.mean(2), patches.std(2)], axis=2)


def tuned(rng: np.random.Generator) -> Tuning:
    return Tuning(*(2 ** rng.uniform(-0.1, 0.1, 3)))


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_sound_is_there_in_every_second_that_the_network_hears(category):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        sound = synthesise(category, tuned(rng), rng)
        assert sound.shape == (SAMPLES,)
        assert sound.dtype == np.float32
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(1, rel=1e-3)
        for second in range(5):
            # Second t, as far as its patch [0.96 t, 0.96 (t + 1)) s reaches.
            heard = sound[second * RATE : int(0.96 * (second + 1) * RATE)]
            assert np.sqrt(np.mean(heard**2)) > 0.5


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_sound_lies_where_a_log_mel_hears_it(category):
    sound = synthesise(category, Tuning(), np.random.default_rng(0))
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    assert power[(hertz > 125) & (hertz < 7500)].sum() > 0.6 * power.sum()
    low, high = VOICES[category].band
    assert power[(hertz < low / 1.3) | (hertz > high * 1.3)].sum() < 1e-3 * power.sum()


def test_a_sound_follows_its_generator_and_its_tuning():
    one, same, other = (synthesise("helicopter", Tuning(), np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    low, high = (synthesise("coyote_howling", Tuning(pitch=p), np.random.default_rng(0)) for p in (0.8, 1.25))
    centre = [np.average(np.arange(SAMPLES // 2 + 1), weights=np.abs(np.fft.rfft(s)) ** 2) for s in (low, high)]
    assert centre[1] / centre[0] == pytest.approx(1.25 / 0.8, rel=0.1)


def test_a_gate_fades_within_the_seconds_that_sound():
    gain = gate((True, True, False, True, False))
    assert gain[0] == 0
    assert gain[FADE] == 1
    assert (gain[FADE : 2 * RATE - FADE] == 1).all()
    assert gain[2 * RATE - 1] == 0
    assert not gain[2 * RATE : 3 * RATE].any()
    assert (gain[3 * RATE + FADE : 4 * RATE - FADE] == 1).all()
    assert not gain[4 * RATE :].any()
    assert np.abs(np.diff(gain)).max() < 2 / FADE
    assert 0.010 <= FADE / RATE <= 0.020


def test_categories_are_told_apart_by_the_nearest_mean_spectrum():
    heard = []
    for index, category in enumerate(CATEGORIES):
        for take in range(8):
            rng = np.random.default_rng([index, take])
            heard.append(0.09 * synthesise(category, tuned(rng), rng))
    known, new = np.split(features(heard).reshape(len(CATEGORIES), 8, 5, -1), [5], axis=1)
    centres = known.mean((1, 2))
    spread = (known - centres[:, None, None]).std((0, 1, 2)) + 1e-3
    distances = np.linalg.norm((new[:, :, :, None] - centres) / spread, axis=-1)
    assert (distances.argmin(-1) == np.arange(len(CATEGORIES))[:, None, None]).mean() > 0.95


def test_who_sounds_in_a_mixture_is_linearly_decodable():
    sounds, present = [], []
    for number in range(160):
        scene = plan_scene("ms3", "train", number, DEMO_CATEGORIES)
        flags = np.zeros((5, len(DEMO_CATEGORIES)))
        for item in scene.objects:
            flags[:, DEMO_CATEGORIES.index(item.actor.category)] = item.sounding
        sounds.append(render_sound(scene) / 32768)
        present.append(flags)
    x, y = features(sounds).reshape(-1, 128), np.concatenate(present)
    x = np.c_[(x - x.mean(0)) / x.std(0), np.ones(len(x))]
    fit = slice(0, 600)
    weights = np.linalg.solve(x[fit].T @ x[fit] + 20 * np.eye(x.shape[1]), x[fit].T @ (y[fit] - 0.5))
    right = (x[600:] @ weights > 0) == (y[600:] > 0)
    assert right.mean() > 0.93
