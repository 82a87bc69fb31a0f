from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from avs_lightning.data.audio import Recording, read_wav
from avs_lightning.errors import UserError


def tone(rate: int, seconds: float, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_16_bit_samples_are_divided_by_32768(tmp_path: Path) -> None:
    samples = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    waveform = read_wav(tmp_path / "a.wav", seconds=5 / 16_000)
    torch.testing.assert_close(waveform, torch.from_numpy(samples / 32768).float(), rtol=0, atol=0)


def test_of_a_short_file_there_is_what_it_holds_and_a_long_one_is_cut(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", tone(16_000, 1.5), 16_000)
    soundfile.write(tmp_path / "long.wav", tone(16_000, 7), 16_000)
    short, long = read_wav(tmp_path / "short.wav"), read_wav(tmp_path / "long.wav")
    assert short.shape == (24_000,)
    assert long.shape == (80_000,)
    torch.testing.assert_close(short, long[:24_000])


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(16_000, 5), -tone(16_000, 5)], axis=1)
    stereo[:, 1] += 0.25
    soundfile.write(tmp_path / "stereo.wav", stereo, 16_000, subtype="FLOAT")
    torch.testing.assert_close(read_wav(tmp_path / "stereo.wav"), torch.full((80_000,), 0.125))


def test_other_rates_are_resampled(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "cd.wav", tone(44_100, 5), 44_100, subtype="FLOAT")
    waveform = read_wav(tmp_path / "cd.wav")
    assert waveform.shape == (80_000,)
    # Away from the ends, where the resampling filter sees silence beside the tone.
    torch.testing.assert_close(waveform[500:-500], torch.from_numpy(tone(16_000, 5))[500:-500], rtol=0, atol=2e-3)


def _empty(path: Path) -> None:
    soundfile.write(path, np.zeros(0, np.float32), 16_000)


def _nan(path: Path) -> None:
    soundfile.write(path, np.where(np.arange(80_000) == 77, np.nan, tone(16_000, 5)), 16_000, subtype="FLOAT")


def _infinite(path: Path) -> None:
    soundfile.write(path, np.where(np.arange(80_000) == 77, np.inf, tone(16_000, 5)), 16_000, subtype="FLOAT")


def _text(path: Path) -> None:
    path.write_text("this is no sound")


def _no_bytes(path: Path) -> None:
    path.touch()


def _nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    "write, message",
    [
        (_empty, "empty: it has no samples"),
        (_nan, "1 samples that are NaN or infinite"),
        (_infinite, "1 samples that are NaN or infinite"),
        (_text, "cannot be read as audio"),
        (_no_bytes, "cannot be read as audio"),
        (_nothing, "sound file missing"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, write, message: str) -> None:
    path = tmp_path / "clip.wav"
    write(path)
    with pytest.raises(UserError, match=message) as error:
        read_wav(path)
    assert str(path) in str(error.value)


def _zero_rate(path: Path) -> None:
    soundfile.write(path, tone(16_000, 5), 16_000)
    data = bytearray(path.read_bytes())
    data[24:28] = bytes(4)
    path.write_bytes(bytes(data))


def _huge_rate(path: Path) -> None:
    soundfile.write(path, tone(16_000, 5), 16_000)
    data = bytearray(path.read_bytes())
    data[24:28] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("write", [_zero_rate, _huge_rate])
def test_a_rate_that_no_sound_has_is_refused(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "clip.wav")
    with pytest.raises(UserError, match=r"clip\.wav"):
        read_wav(tmp_path / "clip.wav")


@pytest.mark.parametrize(
    "subtype, error",
    [("PCM_U8", 0.01), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 0), ("DOUBLE", 0),
     ("ALAW", 0.03), ("ULAW", 0.03)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_width_and_number_of_channels_is_read(tmp_path: Path, subtype: str, error: float, channels: int) -> None:
    samples = tone(16_000, 5)
    soundfile.write(tmp_path / "a.wav", np.stack([samples] * channels, axis=1), 16_000, subtype=subtype)
    torch.testing.assert_close(read_wav(tmp_path / "a.wav"), torch.from_numpy(samples), rtol=0, atol=error + 1e-7)


def test_a_header_that_promises_more_than_there_is_gives_what_there_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000, 5), 16_000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[: 44 + 2 * 32_000])
    assert read_wav(tmp_path / "a.wav").shape == (32_000,)
    assert Recording.read(tmp_path / "a.wav", 5).seconds == 2


def test_channels_that_cancel_are_told_from_silence(tmp_path: Path) -> None:
    def cancels(left: np.ndarray, right: np.ndarray) -> bool:
        soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000)
        return Recording.read(tmp_path / "a.wav", 5).cancels

    sound = tone(16_000, 5)
    assert cancels(sound, -sound)
    assert not cancels(sound, sound)
    assert not cancels(sound, 0 * sound)
    assert not cancels(0 * sound, 0 * sound)
