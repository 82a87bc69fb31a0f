"""What every network returns."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class NetworkOutput:
    """The output of a network on B clips of T frames.

    Attributes:
        logits: [B, T, K, H, W], K = 1 for binary segmentation, at the images' resolution.
        features: per stage (index 0 is stage 1), what the losses see: relu(z_i), [B, T, C, h_i, w_i].
        audio: per stage, the audio vectors that TPAVI hands on, [B, T, C]; None where the stage uses no audio.
    """

    logits: Tensor
    features: list[Tensor] = field(default_factory=list)
    audio: list[Tensor | None] = field(default_factory=list)

    @property
    def labels(self) -> Tensor:
        """[B, T, H, W] uint8, the predicted class of each pixel."""
        if self.logits.shape[2] == 1:
            return (self.logits[:, :, 0].float().sigmoid() > 0.5).byte()
        return self.logits.argmax(dim=2).byte()

    def __repr__(self) -> str:
        """Shapes alone: the values are millions."""
        features, audio = (
            [None if x is None else tuple(x.shape) for x in part] for part in (self.features, self.audio)
        )
        return f"NetworkOutput(logits={tuple(self.logits.shape)}, features={features}, audio={audio})"
