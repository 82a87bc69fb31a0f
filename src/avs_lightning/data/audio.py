"""Sound files to mono waveforms."""

from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio.functional
from torch import Tensor

from avs_lightning.errors import UserError


def read_wav(path: str | Path, rate: int = 16_000, seconds: float = 5.0) -> Tensor:
    """Read the first `seconds` of a sound file as mono.

    Channels are averaged, then other rates are resampled; a short file is filled up with silence, a long one is cut.

    Returns:
        [round(seconds * rate)] float32 samples; 16-bit files map to [-1, 1) by 1/32768.

    Raises:
        UserError: the file is missing, holds no samples, is not audio, or has samples that are NaN or infinite.
    """
    samples, file_rate = _read_samples(Path(path), seconds)
    waveform = torch.from_numpy(samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0])
    if file_rate != rate:
        waveform = torchaudio.functional.resample(waveform, file_rate, rate)
    length = round(seconds * rate)
    return torch.nn.functional.pad(waveform[:length], (0, max(0, length - waveform.shape[0])))


def _read_samples(path: Path, seconds: float) -> tuple[np.ndarray, int]:
    """Samples [S, channels] float32 and the file's own rate."""
    if not path.is_file():
        raise UserError(f"sound file missing: {path}")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            samples = file.read(frames=round(seconds * rate), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise UserError(
            f"{path} cannot be read as audio ({error}): write it again, "
            f"e.g. `ffmpeg -i VIDEO -ac 1 -ar 16000 {path.name}`"
        ) from error
    if not len(samples):
        raise UserError(f"{path} is empty: it has no samples; extract the audio again, or take the clip out of the CSV")
    if not np.isfinite(samples).all():
        bad = int((~np.isfinite(samples)).sum())
        raise UserError(
            f"{path} has {bad:,} samples that are NaN or infinite: extract the audio again as 16-bit PCM, "
            "which cannot hold such values"
        )
    return samples, rate
