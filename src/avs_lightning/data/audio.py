"""Sound files to mono waveforms."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from avs_lightning.data.resampling import resample
from avs_lightning.errors import UserError

RATES = (1_000, 768_000)
CANCELLED = 0.01  # of the louder channel's root mean square: 40 dB below it


@dataclass(frozen=True)
class Recording:
    """What a sound file holds, or its beginning.

    Attributes:
        samples: [S, channels] float32; 16-bit files map to [-1, 1) by 1/32768.
        rate: samples a second.
        seconds: the length of the whole file.
    """

    samples: NDArray[np.float32]
    rate: int
    seconds: float

    @property
    def mono(self) -> NDArray[np.float32]:
        """[S]: the channels averaged."""
        return self.samples.mean(axis=1) if self.samples.shape[1] > 1 else self.samples[:, 0]

    @property
    def cancels(self) -> bool:
        """Whether averaging the channels leaves next to nothing of a sound that each of them has."""
        loudest = np.square(self.samples, dtype=np.float64).mean(axis=0).max()
        return bool(loudest > 0 and np.square(self.mono, dtype=np.float64).mean() < CANCELLED**2 * loudest)

    @classmethod
    def read(cls, path: str | Path, seconds: float) -> "Recording":
        """Read the first `seconds` of a sound file of any width, encoding and number of channels.

        Raises:
            UserError: the file is missing, holds no samples, is not audio, has samples that are NaN or infinite, or
                names a rate outside `RATES`.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"sound file missing: {path}")
        again = f"write it again, e.g. `ffmpeg -i VIDEO -ac 1 -ar 16000 {path.name}`"
        try:
            with soundfile.SoundFile(path) as file:
                rate, length = int(file.samplerate), file.frames
                if not RATES[0] <= rate <= RATES[1]:
                    low, high = RATES
                    raise UserError(
                        f"{path} claims {rate:,} samples a second, {low:,} to {high:,} can be read: {again}"
                    )
                samples = file.read(frames=round(seconds * rate), dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError, RuntimeError, ValueError) as error:
            raise UserError(f"{path} cannot be read as audio ({error}): {again}") from error
        if not len(samples):
            raise UserError(
                f"{path} is empty: it has no samples; extract the audio again, or take the clip out of the CSV"
            )
        if not np.isfinite(samples).all():
            bad = int((~np.isfinite(samples)).sum())
            raise UserError(
                f"{path} has {bad:,} samples that are NaN or infinite: extract the audio again as 16-bit PCM, "
                "which cannot hold such values"
            )
        return cls(samples, rate, length / rate)


def read_wav(path: str | Path, rate: int = 16_000, seconds: float = 5.0) -> Tensor:
    """Read the first `seconds` of a sound file as mono: channels are averaged, then other rates are resampled.

    Returns:
        [S] float32 samples, round(seconds * rate) of them or, of a shorter file, what there is.

    Raises:
        UserError: see `Recording.read`.
    """
    sound = Recording.read(path, seconds)
    return resample(torch.from_numpy(sound.mono), sound.rate, rate)[: round(seconds * rate)]
