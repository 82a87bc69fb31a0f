"""The published AVS: segment by BCE, and tie the masked visual features to the sound by L_AVM."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from avs_lightning.data import ClipBatch
from avs_lightning.errors import UserError
from avs_lightning.losses import avm_audio, avm_cosine, avm_visual, mask_bce
from avs_lightning.methods.avs import AVS, build_audio_encoder
from avs_lightning.methods.base import SegmentationMethod
from avs_lightning.methods.published import entries_hash
from avs_lightning.models import NetworkOutput

AVM_LOSSES = ("audio", "visual", "cosine")


class AVSMethod(SegmentationMethod):
    """Trains `AVS` (Zhou et al., ECCV 2022): loss = BCE + avm_weight x AVM.

    Every argument is a plain value, so that a checkpoint rebuilds its method by itself, with weights-only safety.

    Args:
        network: arguments of `AVS`.
        audio_encoder: arguments of `build_audio_encoder`: name, weights, frozen.
        loss: `avm` (audio, visual or cosine), `avm_weight`, `avm_distance` (kl or euclidean), `avm_normalize` (false as
            released), `avm_stages` (None: the stages with TPAVI that the decoder reads) and `project` (learn a Linear a
            stage for the loss where the stage has no audio vector).
        optimizer: arguments of `build_optimizer`.

    Raises:
        UserError: an unknown loss, or a loss stage without audio vectors.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        audio_encoder: Mapping[str, Any],
        loss: Mapping[str, Any],
        optimizer: Mapping[str, Any],
    ):
        super().__init__(optimizer)
        self.save_hyperparameters()
        self.network = AVS(**network)
        self.audio_encoder = build_audio_encoder(**audio_encoder)
        parts = self.published_parts(self.hparams)
        self.published = {part: entries_hash(self.get_submodule(part).state_dict()) for part in parts}
        self.loss_options = dict(loss)
        if loss["avm"] not in AVM_LOSSES:
            raise UserError(f"method.loss.avm={loss['avm']} is unknown; it is one of {', '.join(AVM_LOSSES)}")
        fused = self.network.stages if self.network.uses_audio else ()
        chosen = loss.get("avm_stages")
        # By default those that learn: a stage which the decoder does not read keeps the weights it was drawn with.
        learning = tuple(stage for stage in fused if stage in self.network.decoder.reads)
        self.avm_stages: tuple[int, ...] = tuple(chosen) if chosen is not None else learning
        if loss.get("project") and chosen is None:
            self.avm_stages = self.network.decoder.reads
        if unread := [stage for stage in self.avm_stages if stage not in self.network.decoder.reads]:
            raise UserError(
                f"method.loss.avm_stages={list(self.avm_stages)}: the decoder does not read the stages {unread}, whose "
                f"layers so learn nothing; choose among {list(self.network.decoder.reads)}"
            )
        silent = [stage for stage in self.avm_stages if stage not in fused]
        if silent and not loss.get("project"):
            raise UserError(
                f"method.loss.avm_stages={list(self.avm_stages)}: the stages {silent} have no audio vector: TPAVI "
                f"hears at {list(fused)}; choose among those, or learn a projection for the loss alone "
                "(method.loss.project=true)"
            )
        size = self.network.audio_channels, self.network.channels
        self.projections = nn.ModuleDict({str(stage): nn.Linear(*size) for stage in silent})

    @classmethod
    def published_parts(cls, hyper_parameters: Mapping[str, Any]) -> tuple[str, ...]:
        options = hyper_parameters["audio_encoder"]
        return ("audio_encoder",) if options.get("weights") == "vggish" and options.get("frozen", True) else ()

    def forward(self, batch: ClipBatch) -> NetworkOutput:
        audio = self.audio_encoder(batch.sound.patches(batch.images.shape[1]).to(batch.images.dtype))
        out: NetworkOutput = self.network(batch.images, audio)
        for stage, projection in self.projections.items():
            out.audio[int(stage) - 1] = projection(audio)
        return out

    def losses(self, out: NetworkOutput, batch: ClipBatch) -> dict[str, Tensor]:
        terms = {"bce": mask_bce(out.logits, batch.masks, batch.labelled)}
        weight = self.loss_options["avm_weight"]
        if weight and self.avm_stages:
            terms["avm"] = weight * self._avm(out, batch.valid)
        return terms

    def _avm(self, out: NetworkOutput, frames: Tensor) -> Tensor:
        # It compares prediction and sound, without masks: as in the released S4 code, unlabelled frames count too.
        options = self.loss_options
        if options["avm"] == "cosine":
            return avm_cosine(out, self.avm_stages, frames)
        term = avm_audio if options["avm"] == "audio" else avm_visual
        normalize = options.get("avm_normalize", False)
        return term(out, self.avm_stages, options["avm_distance"], frames, normalize)
