"""The sound of an object, synthesised from its category's `Voice`: events -> pitch and envelope -> source -> filter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avs_lightning.data.synthetic.voices import VOICES, Voice

RATE = 16_000
SECONDS = 5
SAMPLES = RATE * SECONDS
FADE = RATE * 15 // 1000
_TABLE = 4096
_TIME = (np.arange(SAMPLES) / RATE).astype(np.float32)

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class Tuning:
    """What tells two objects of a category apart by ear: factors on the pitch, the tempo and the resonances."""

    pitch: float = 1.0
    tempo: float = 1.0
    colour: float = 1.0


def synthesise(category: str, tuning: Tuning, rng: np.random.Generator) -> Signal:
    """Five seconds of a category's sound without a pause.

    Returns:
        [80000] samples at 16 kHz with a root mean square of 1.
    """
    voice = VOICES[category]
    event, since, interval = _events(voice, tuning, rng)
    progress = since / interval[event]
    notes = rng.choice(np.array(voice.notes), size=len(interval)) * tuning.pitch
    pitch = notes.astype(np.float32)[event] * np.exp2(_semitones(voice, progress, rng) / np.float32(12))
    signal = _source(voice, pitch, rng) * _envelope(voice, since, progress)
    signal *= (1 - 0.25 * rng.random(len(interval), dtype=np.float32))[event]
    rate, depth = voice.tremolo
    if depth:
        phase = 2 * np.pi * rng.random()
        signal *= 1 - depth * (0.5 + 0.5 * np.sin(_TIME * np.float32(2 * np.pi * rate * tuning.tempo) + phase))
    signal = _filtered(voice, tuning, signal)
    return signal / np.sqrt(np.mean(np.square(signal)) + 1e-12)


def gate(sounding: tuple[bool, ...]) -> Signal:
    """[80000] gain of an object that sounds in the seconds named: 0 outside, fades of 15 ms inside them."""
    padded = np.array([False, *sounding, False])
    gain = np.repeat(padded[1:-1], RATE).astype(np.float32)
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    for second in range(SECONDS):
        start = second * RATE
        if padded[second + 1] and not padded[second]:
            gain[start : start + FADE] = ramp
        if padded[second + 1] and not padded[second + 2]:
            gain[start + RATE - FADE : start + RATE] = ramp[::-1]
    return gain


def _events(voice: Voice, tuning: Tuning, rng: np.random.Generator) -> tuple[NDArray[np.int64], Signal, Signal]:
    """The event that each sample belongs to, the time since it began, and the events' lengths, in seconds."""
    rate = voice.rate * tuning.tempo
    onsets = np.arange(-1, int(SECONDS * rate) + 4) - rng.random()
    onsets = (onsets + voice.jitter * rng.uniform(-0.5, 0.5, len(onsets))) / rate
    edges = np.searchsorted(_TIME, onsets)
    event = np.repeat(np.arange(len(onsets) - 1), np.diff(edges))[:SAMPLES]
    return event, _TIME - onsets[event].astype(np.float32), np.diff(onsets).astype(np.float32)


def _semitones(voice: Voice, progress: Signal, rng: np.random.Generator) -> Signal:
    # A fine table is several times faster than interpolating at every sample.
    steps = np.linspace(0, 1, 2049)
    curve = np.interp(steps, np.linspace(0, 1, len(voice.glide)), voice.glide).astype(np.float32)
    glide = curve[(progress * 2048).astype(np.int32)]
    rate, depth = voice.vibrato
    if depth:
        glide += depth * np.sin(_TIME * np.float32(2 * np.pi * rate) + np.float32(2 * np.pi * rng.random()))
    return glide


def _envelope(voice: Voice, since: Signal, progress: Signal) -> Signal:
    envelope = np.minimum(since / voice.attack, 1)
    if voice.decay is not None:
        envelope *= np.exp(-since / voice.decay)
    if voice.duty < 1:
        envelope *= np.clip((voice.duty - progress) / 0.05 + 1, 0, 1)
    return envelope


def _source(voice: Voice, pitch: Signal, rng: np.random.Generator) -> Signal:
    noise = rng.standard_normal(SAMPLES, dtype=np.float32) if voice.breath else np.float32(0)
    if voice.breath == 1:
        return np.asarray(noise)
    cycles = np.cumsum(pitch, dtype=np.float64) / RATE
    tone = np.zeros(SAMPLES, dtype=np.float32)
    for rank, ratio in enumerate(voice.ratios):
        table = _wavetable(voice.slope, int(min(40, voice.band[1] / (float(pitch.mean()) * ratio))))
        index = ((cycles * ratio + rng.random()) * _TABLE).astype(np.int64) & (_TABLE - 1)
        tone += table[index] * np.float32(0.6**rank)
    return (1 - voice.breath) * tone + voice.breath * noise


def _wavetable(slope: float, harmonics: int) -> Signal:
    """One period of the harmonic sum, with a root mean square of 1."""
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex64)
    ranks = np.arange(1, max(harmonics, 1) + 1)
    # Schroeder phases keep the peaks low, so that bright tones are as loud as soft ones.
    spectrum[ranks] = ranks**-slope * np.exp(-1j * np.pi * ranks**2 / len(ranks))
    table = np.fft.irfft(spectrum)
    return (table / np.sqrt(np.mean(table**2))).astype(np.float32)


def _filtered(voice: Voice, tuning: Tuning, signal: Signal) -> Signal:
    coarse = np.linspace(0, RATE / 2, 401)
    octaves = np.log2(np.maximum(coarse, 1))
    gain = np.ones_like(coarse)
    for centre, width, height in voice.resonances:
        gain += height * np.exp(-0.5 * ((octaves - np.log2(centre * tuning.colour)) / width * 2) ** 2)
    low, high = voice.band
    # Slopes of a third of an octave outside the band.
    gain *= np.clip(1 + 3 * (octaves - np.log2(low)), 0, 1) * np.clip(1 + 3 * (np.log2(high) - octaves), 0, 1)
    spectrum = np.fft.rfft(signal)
    fine = np.linspace(0, 1, (len(spectrum) - 1) // 400, endpoint=False)
    spectrum[:-1] *= (gain[:-1, None] + np.diff(gain)[:, None] * fine).astype(np.float32).ravel()
    spectrum[-1] = 0
    return np.fft.irfft(spectrum, n=SAMPLES).astype(np.float32)
