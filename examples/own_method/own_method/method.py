"""A small network that hears loudness: frames are scaled, channel by channel, by the energy of their second."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.data import ClipBatch
from avs_lightning.data.sound import Sound
from avs_lightning.errors import UserError
from avs_lightning.frames import flatten_frames, unflatten_frames
from avs_lightning.methods import SegmentationMethod
from avs_lightning.models import NetworkOutput
from avs_lightning.models.decoders import build_decoder


def band_energies(sound: Sound, frames: int, bands: int) -> Tensor:
    """Return the log energy of each second in bands of the spectrum, [B, frames, bands]: the front end.

    Raises:
        UserError: there is no waveform.
    """
    if sound.waveform is None:
        raise UserError("this method hears waveforms, and these clips have log-mels alone (data.audio=wav)")
    seconds = F.pad(sound.waveform, (0, frames * sound.rate))[..., : frames * sound.rate]
    power = torch.fft.rfft(seconds.unflatten(-1, (frames, sound.rate))).abs().square()
    energies = F.adaptive_avg_pool1d(power.flatten(0, 1), bands).unflatten(0, power.shape[:2])
    return torch.log10(energies + 1e-6)


class OwnMethod(SegmentationMethod):
    """Stage 1 learns to see, stage 2 starts there and learns to hear.

    Args:
        decoder: of which head, see `build_decoder`.
        stage: 1 or 2.
        width: channels of the first stage of the encoder.
        bands: of the spectrum.
        **options: of `SegmentationMethod`.
    """

    def __init__(
        self, decoder: Mapping[str, Any], stage: int = 1, width: int = 8, bands: int = 16, **options: Any
    ) -> None:
        super().__init__(**options)
        self.save_hyperparameters()
        self.stage, self.bands = stage, bands
        channels = int(decoder["channels"])
        widths = [width * 2**n for n in range(4)]
        strides, inputs = (4, 2, 2, 2), (3, *widths)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 2 * s - 1, s, s - 1), nn.GroupNorm(4, b), nn.ReLU())
            for a, b, s in zip(inputs, widths, strides)
        )
        self.neck = nn.ModuleList(nn.Conv2d(n, channels, 1) for n in widths)
        self.hearing = nn.Linear(bands, channels)
        self.decoder = build_decoder({**decoder, "classes": self.logits})
        if stage == 1:
            self.hearing.requires_grad_(False)

    def check_start(self, checkpoint: str | None) -> None:
        """Stage 2 has to start from stage 1."""
        if self.stage == 2 and checkpoint is None:
            raise UserError(
                "method.stage=2 starts from stage 1: init.checkpoint=FILE, or in a sweep init=own_stage1, which trains "
                "the missing ones"
            )

    def forward(self, batch: ClipBatch) -> NetworkOutput:
        """Segment a batch."""
        clips, frames = batch.images.shape[:2]
        gains = torch.ones(clips, frames, 1, 1, 1, device=batch.images.device)
        if self.stage == 2:
            heard = self.hearing(band_energies(batch.sound, frames, self.bands).to(batch.images.dtype))
            gains = heard.sigmoid()[..., None, None]
        x, features = flatten_frames(batch.images, batch.lengths), []
        for stage, neck in zip(self.stages, self.neck):
            x = stage(x)
            features.append(unflatten_frames(neck(x).relu(), (clips, frames), batch.lengths) * gains)
        size = batch.images.shape[-2], batch.images.shape[-1]
        return self.decoder.output(features, [None] * 4, size, batch.lengths)

    def losses(self, out: NetworkOutput, batch: ClipBatch) -> Mapping[str, Tensor]:
        """The head's own."""
        return self.decoder.losses(out, batch)
