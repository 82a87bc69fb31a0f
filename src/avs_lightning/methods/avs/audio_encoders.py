"""The choice of audio encoder: VGGish, or a small one for training from scratch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from avs_lightning.errors import UserError, choose
from avs_lightning.methods.avs.vggish import VGGish
from avs_lightning.models.weights import fetch, load_renamed, load_state_dict

VGGISH_URL = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"
VGGISH_SHA256 = "10086976"


class SmallAudioEncoder(nn.Module):
    """Log-mel patches -> embeddings, small enough to be trained from scratch on little data.

    Time is pooled, the mel axis is kept to the end: what tells simultaneous sounds apart is where their bands lie.

    Args:
        embedding: size of the embedding.
    """

    def __init__(self, embedding: int = 128) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 96)
        strides = ((2, 1), (2, 2), (2, 2), (2, 2))
        self.features = nn.Sequential(
            *(
                layer
                for n, m, stride in zip(widths, widths[1:], strides)
                for layer in (
                    nn.Conv2d(n, m, 5 if n == 1 else 3, stride, padding=2 if n == 1 else 1),
                    nn.GroupNorm(8, m),
                    nn.GELU(),
                )
            )
        )
        self.embedding = nn.Linear(2 * widths[-1] * 8, embedding)

    def forward(self, log_mel: Tensor) -> Tensor:
        """[..., 1, 96, 64] (time, mel band) -> [..., embedding]."""
        x = (log_mel.reshape(-1, *log_mel.shape[-3:]) + 2) / 2
        maps = self.features(x)
        pooled = torch.cat([maps.mean(2), maps.amax(2)], dim=1).flatten(1)
        return self.embedding(pooled).reshape(*log_mel.shape[:-3], -1)


AUDIO_ENCODERS: dict[str, type[nn.Module]] = {"vggish": VGGish, "small": SmallAudioEncoder}


def build_audio_encoder(name: str = "vggish", weights: str = "none", frozen: bool = True) -> nn.Module:
    """Build an audio encoder: log_mel [..., 1, 96, 64] -> [..., 128].

    Args:
        name: "vggish" or "small".
        weights: "none", the path of a file, or "vggish" for the published ones, downloaded once.
        frozen: no gradients.

    Raises:
        UserError: an unknown name, or weights that cannot be had or do not fit.
    """
    encoder = AUDIO_ENCODERS[choose(name, AUDIO_ENCODERS, "audio_encoder")]()
    if weights == "vggish":
        if name != "vggish":
            raise UserError(
                f"audio_encoder.weights=vggish does not fit the audio encoder {name!r}: choose none or a file"
            )
        weights = str(
            fetch(VGGISH_URL, Path(torch.hub.get_dir()) / "checkpoints" / Path(VGGISH_URL).name, VGGISH_SHA256)
        )
    if weights != "none":
        load_renamed(encoder, load_state_dict(weights), f"the audio encoder {name} ({weights})")
    return encoder.requires_grad_(not frozen)
