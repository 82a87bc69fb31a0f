"""The AVS network: encoder -> neck -> TPAVI at chosen stages -> decoder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avs_lightning.errors import UserError
from avs_lightning.frames import Lengths, flatten_frames, unflatten_frames
from avs_lightning.methods.avs.reference_names import UNUSED_TWIN, reference_name
from avs_lightning.methods.avs.tpavi import TPAVI
from avs_lightning.models.decoders import build_decoder
from avs_lightning.models.encoders import VisualEncoder
from avs_lightning.models.neck import Neck
from avs_lightning.models.output import NetworkOutput
from avs_lightning.models.weights import load_renamed, tensors_of
from avs_lightning.targets import part_name

STAGES = (1, 2, 3, 4)


class AVS(nn.Module):
    """Audio-visual segmentation (Zhou et al., ECCV 2022).

    Args:
        encoder: the visual encoder, any timm backbone with strides 4-32.
        weights: of the encoder: "imagenet", "none" or a file.
        frozen_encoder: do not train the encoder.
        stages: where TPAVI fuses, any subset of 1-4; () for no fusion.
        audio: TPAVI attends from the pixels to the sound.
        visual: TPAVI attends from the pixels to all pixels. With both, one module is used twice and averaged.
        scope: "clip" as published, or "frame"; see `TPAVI`.
        decoder: "reference", the name of a segmentation_models_pytorch decoder, or `_target_` and arguments of any
            head, see `build_decoder`.
        classes: K, logits a pixel: 1 for binary masks.
        channels: C, of every stage after the neck; None: the decoder's, else 256.
        audio_channels: of the audio embedding.
        image_size: height and width of the images, for encoders that are built for one size.
        drop_path: stochastic depth of the encoder in training, see `VisualEncoder`; the released code trains PVT-v2
            with 0.1.

    Attributes:
        hyper_parameters: the arguments; `AVS(**hyper_parameters)` is the same network.
        stages, uses_audio, uses_visual, channels, audio_channels: of the arguments.
        decoder_name: what the decoder is called.

    Raises:
        UserError: an encoder, decoder, scope or stage that does not exist.
    """

    def __init__(
        self,
        encoder: str = "resnet50",
        weights: str = "none",
        frozen_encoder: bool = False,
        stages: Sequence[int] = STAGES,
        audio: bool = True,
        visual: bool = False,
        scope: str = "clip",
        decoder: str | Mapping[str, Any] = "reference",
        classes: int = 1,
        channels: int | None = None,
        audio_channels: int = 128,
        image_size: int = 224,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"name": decoder} if isinstance(decoder, str) else dict(decoder)
        channels = int(options.setdefault("channels", channels or 256))
        self.hyper_parameters: dict[str, Any] = {
            "encoder": encoder,
            "weights": weights,
            "frozen_encoder": frozen_encoder,
            "stages": tuple(stages),
            "audio": audio,
            "visual": visual,
            "scope": scope,
            "decoder": decoder,
            "classes": classes,
            "channels": channels,
            "audio_channels": audio_channels,
            "image_size": image_size,
            "drop_path": drop_path,
        }
        check_fusion(stages, audio, visual, encoder)
        self.stages, self.uses_audio, self.uses_visual = tuple(sorted(set(stages))), audio, visual
        self.channels, self.audio_channels = channels, audio_channels
        self.encoder = VisualEncoder(encoder, weights, frozen_encoder, image_size, drop_path)
        self.neck = Neck(self.encoder.channels, channels)
        self.fusion = nn.ModuleDict({str(i): TPAVI(channels, audio_channels, scope) for i in self.stages})
        self.decoder = build_decoder({**options, "classes": classes})
        self.decoder_name = part_name(options)
        self._freeze_unused()
        # TPAVI reads positions as rows of channels, and CPU convolutions take half the time in this layout.
        for part in (self.encoder, self.neck, self.decoder):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_reference(
        cls,
        state_dict: Mapping[str, Tensor],
        encoder: str = "resnet50",
        stages: Sequence[int] = STAGES,
        audio: bool = True,
        visual: bool = False,
        scope: str = "clip",
    ) -> AVS:
        """Build from the entries of a checkpoint of the released code, in evaluation mode.

        TPAVI modules of stages that were not asked for are left out with a warning.

        Args:
            state_dict: by the reference's names, with or without `module.`.
            encoder: "resnet50" or "pvt_v2_b5", as trained.
            stages: as trained, like `audio` and `visual`: a checkpoint does not tell the latter two.
            audio: as in `AVS`.
            visual: as in `AVS`.
            scope: as in `AVS`; the reference's is "clip".

        Raises:
            UserError: entries are missing, unexpected or of another shape: lists them.
        """
        net = cls(encoder, stages=stages, audio=audio, visual=visual, scope=scope)
        state_dict = tensors_of(state_dict)
        left_out = {i: f"tpavi_b{i}." for i in STAGES if i not in net.stages}
        if unread := [i for i, prefix in left_out.items() if any(name.startswith(prefix) for name in state_dict)]:
            warnings.warn(
                f"the checkpoint's TPAVI modules at stages {unread} were not asked for: left out", stacklevel=2
            )
        load_renamed(
            net,
            state_dict,
            f"AVS with {encoder} and TPAVI at stages {list(net.stages)}",
            rename=lambda name: reference_name(name, encoder),
            unused=lambda name: name.startswith(tuple(left_out.values())) or bool(UNUSED_TWIN.match(name)),
        )
        return net.eval()

    def forward(self, images: Tensor, audio: Tensor | None = None, lengths: Lengths = None) -> NetworkOutput:
        """Segment.

        Args:
            images: [B, T, 3, H, W], normalised with the ImageNet mean and standard deviation.
            audio: [B, T, audio_channels], the embeddings of the audio encoder; read only where TPAVI uses audio.
            lengths: B numbers of frames that exist, the first ones. The rest is padding: nothing is computed of it, it
                changes nothing, in training either, and features and logits are zero there. None: all exist.
        """
        self._check_inputs(images, audio)
        if lengths is not None and min(lengths) == images.shape[1]:
            lengths = None
        frames = flatten_frames(images, lengths).contiguous(memory_format=torch.channels_last)
        features, vectors = [], []
        for i, x in enumerate(self.neck(self.encoder(frames)), start=1):
            z, a = self.fuse(i, unflatten_frames(x, images.shape[:2], lengths), audio, lengths)
            features.append(F.relu(z))
            vectors.append(a)
        return self.decoder.output(features, vectors, (images.shape[-2], images.shape[-1]), lengths)

    def fuse(
        self, stage: int, x: Tensor, audio: Tensor | None, lengths: Lengths = None
    ) -> tuple[Tensor, Tensor | None]:
        """TPAVI at `stage` (1-4) of x [B, T, C, h, w]: the fused map, and the audio vectors [B, T, C] or None."""
        if str(stage) not in self.fusion:
            return x, None
        tpavi, x = self.fusion[str(stage)], x.transpose(1, 2)
        # Visual first, as in the reference: each pass moves the running statistics of the one BatchNorm.
        passes = [
            tpavi(x, sound, lengths) for sound, used in ((None, self.uses_visual), (audio, self.uses_audio)) if used
        ]
        z = passes[0][0] if len(passes) == 1 else (passes[0][0] + passes[1][0]) / 2
        return z.transpose(1, 2), passes[-1][1]

    def _freeze_unused(self) -> None:
        """Keep from training what takes part in checkpoints only: DistributedDataParallel waits for every gradient."""
        for i in STAGES:
            if i not in self.decoder.reads:
                self.neck[i - 1].requires_grad_(False)
            if i in self.stages:
                tpavi = self.fusion[str(i)]
                tpavi.requires_grad_(i in self.decoder.reads)
                if not self.uses_audio:
                    tpavi.get_submodule("align_channel").requires_grad_(False)

    def _check_inputs(self, images: Tensor, audio: Tensor | None) -> None:
        if images.ndim != 5 or images.shape[2] != 3:
            raise ValueError(f"images must have shape [B, T, 3, H, W], not {tuple(images.shape)}")
        wanted = (*images.shape[:2], self.audio_channels)
        if self.fusion and self.uses_audio and (audio is None or audio.shape != wanted):
            raise ValueError(
                f"images of shape {tuple(images.shape)} need audio embeddings [B, T, audio_channels] = {wanted}, "
                f"not {None if audio is None else tuple(audio.shape)}"
            )


def check_fusion(stages: Sequence[int], audio: bool, visual: bool, encoder: str) -> None:
    """Refuse stages that do not exist, and stages without anything to attend to."""
    for stage in stages:
        if stage not in STAGES:
            raise UserError(f"fusion stage {stage} does not exist: {encoder} has stages 1-4 (fusion.stages=[...])")
    if stages and not (audio or visual):
        raise UserError(
            f"fusion at stages {list(stages)} attends to neither sound nor pixels: set fusion.audio=true or "
            "fusion.visual=true, or choose no stage (fusion=none)"
        )
