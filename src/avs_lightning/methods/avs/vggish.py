"""VGGish, the published audio encoder."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from avs_lightning.models.weights import load_renamed


class VGGish(nn.Module):
    """Log-mel patches -> embeddings, without the PCA. The entries of its state dict are named as the reference's.

    Source: Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        previous = 1
        for channels in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0):
            if channels:
                layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU()]
                previous = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        sizes = (6 * 4 * 512, 4096, 4096, 128)
        self.embeddings = nn.Sequential(*(layer for n, m in pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())))

    @classmethod
    def from_reference(cls, state_dict: Mapping[str, Tensor]) -> VGGish:
        """Build from the reference's entries (torchvggish's), in evaluation mode.

        Raises:
            UserError: entries are missing, unexpected or of another shape: lists them.
        """
        model = cls()
        load_renamed(model, state_dict, "VGGish")
        return model.eval()

    def forward(self, log_mel: Tensor) -> Tensor:
        """[..., 1, 96, 64] (time, mel band) -> [..., 128], non-negative."""
        maps = self.features(log_mel.reshape(-1, *log_mel.shape[-3:]))
        # TensorFlow's order, in which the weights were trained: channels last.
        flat = maps.permute(0, 2, 3, 1).flatten(1)
        return self.embeddings(flat).reshape(*log_mel.shape[:-3], 128)
