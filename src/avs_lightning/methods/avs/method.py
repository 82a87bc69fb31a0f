"""The published AVS: segment by BCE, and tie the masked visual features to the sound by L_AVM."""

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn

from avs_lightning.data import ClipBatch
from avs_lightning.errors import UserError
from avs_lightning.methods.avs.audio_encoders import build_audio_encoder
from avs_lightning.methods.avs.losses import avm_audio, avm_cosine, avm_visual
from avs_lightning.methods.avs.network import AVS
from avs_lightning.methods.avs.released import describe_reference
from avs_lightning.methods.base import SegmentationMethod
from avs_lightning.methods.published import entries_hash
from avs_lightning.models import NetworkOutput
from avs_lightning.models.weights import load_entries

AVM_LOSSES = ("audio", "visual", "cosine")
VGGISH = {"name": "vggish", "weights": "vggish", "frozen": True}


class AVSMethod(SegmentationMethod):
    """Trains `AVS` (Zhou et al., ECCV 2022): loss = BCE + avm_weight x AVM.

    Args:
        encoder: the visual encoder: `name`, `weights`, `frozen`, `drop_path`, as in `AVS`.
        audio_encoder: arguments of `build_audio_encoder`: `name`, `weights`, `frozen`. Built where something hears it.
        fusion: of TPAVI: `stages`, `audio`, `visual`, `scope`, as in `AVS`.
        decoder: `_target_` and arguments of the decoder, or `name`; see `build_decoder`.
        loss: `avm` (audio, visual or cosine), `avm_weight`, `avm_distance` (kl or euclidean), `avm_normalize` (false as
            released), `avm_stages` (None: the stages with TPAVI that the decoder reads) and `project` (learn a Linear a
            stage for the loss where the stage has no audio vector).
        image_size: height and width of the images, for encoders that are built for one size.
        **options: of `SegmentationMethod`: `optimizer`, `schedule`, `classes`.

    Raises:
        UserError: an unknown loss, or a loss stage without audio vectors.
    """

    start_prefix = "network.encoder."
    quick_settings = ("fusion", "method.loss")

    def __init__(
        self,
        encoder: Mapping[str, Any],
        audio_encoder: Mapping[str, Any],
        fusion: Mapping[str, Any],
        decoder: Mapping[str, Any],
        loss: Mapping[str, Any],
        image_size: int = 224,
        **options: Any,
    ):
        super().__init__(**options)
        self.save_hyperparameters()
        visual = {"frozen_encoder" if key == "frozen" else key: value for key, value in encoder.items()}
        parts: dict[str, Any] = {**visual, **fusion, "decoder": decoder, "classes": self.logits}
        self.network = AVS(parts.pop("name"), **parts, image_size=image_size)
        self.audio_encoder = build_audio_encoder(**audio_encoder) if hears(self.hparams) else None
        published = self.published_parts(self.hparams)
        self.published = {part: entries_hash(self.get_submodule(part).state_dict()) for part in published}
        self.loss_options = dict(loss)
        self.avm_stages = self._loss_stages(loss)
        fused = self.network.stages if self.network.uses_audio else ()
        silent = [stage for stage in self.avm_stages if stage not in fused]
        if silent and not loss.get("project"):
            raise UserError(
                f"method.loss.avm_stages={list(self.avm_stages)}: the stages {silent} have no audio vector: TPAVI "
                f"hears at {list(fused)}; choose among those, or learn a projection for the loss alone "
                "(method.loss.project=true)"
            )
        size = self.network.audio_channels, self.network.channels
        self.projections = nn.ModuleDict({str(stage): nn.Linear(*size) for stage in silent})

    def _loss_stages(self, loss: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the stages at which L_AVM is taken."""
        if loss["avm"] not in AVM_LOSSES:
            raise UserError(f"method.loss.avm={loss['avm']} is unknown; it is one of {', '.join(AVM_LOSSES)}")
        network, chosen = self.network, loss.get("avm_stages")
        if chosen is not None:
            if unread := [stage for stage in chosen if stage not in network.decoder.reads]:
                raise UserError(
                    f"method.loss.avm_stages={list(chosen)}: the decoder does not read the stages {unread}, whose "
                    f"layers so learn nothing; choose among {list(network.decoder.reads)}"
                )
            return tuple(chosen)
        if loss.get("project"):
            return network.decoder.reads
        # Those that learn: a stage which the decoder does not read keeps the weights it was drawn with.
        return tuple(s for s in network.stages if network.uses_audio and s in network.decoder.reads)

    @classmethod
    def published_parts(cls, hyper_parameters: Mapping[str, Any]) -> tuple[str, ...]:
        options = hyper_parameters["audio_encoder"]
        published = options.get("weights") == "vggish" and options.get("frozen", True)
        return ("audio_encoder",) if published and hears(hyper_parameters) else ()

    @classmethod
    def released_entries(cls, content: Mapping[str, Any]) -> dict[str, Tensor]:
        return {f"network.{name}": value for name, value in describe_reference(content).entries.items()}

    @classmethod
    def from_released(
        cls,
        content: Mapping[str, Any],
        audio_encoder: Mapping[str, Any] | None = None,
        fusion: Mapping[str, bool | None] | None = None,
    ) -> Self:
        """Rebuild the network of a checkpoint of the released code.

        Args:
            content: what the file holds.
            audio_encoder: arguments of `build_audio_encoder`: the checkpoint has none. None: VGGish as published.
            fusion: `audio` and `visual`, what TPAVI attends to, which the checkpoint does not tell; None, and values
                that are None: its sound alone.

        Raises:
            UserError: it is no such checkpoint.
        """
        reference, fusion = describe_reference(content), fusion or {}
        heard = {"audio": fusion.get("audio") is not False, "visual": bool(fusion.get("visual"))}
        method = cls(
            encoder={"name": reference.encoder},
            audio_encoder=audio_encoder or VGGISH,
            fusion={"stages": list(reference.stages), **heard},
            decoder={"name": "reference"},
            loss={"avm": "audio", "avm_weight": 0.0, "avm_distance": "kl"},
        )
        load_entries(method.network, reference.entries, "the checkpoint")
        return method

    def reconcile(self, groups: Mapping[str, Any], released: bool) -> tuple[dict[str, Any], str]:
        given = groups.get("fusion") or {}
        trained = {"audio": self.network.uses_audio, "visual": self.network.uses_visual}
        for key, value in given.items():
            if value not in (True, False, None):
                raise UserError(f"fusion.{key}={value}: true or false is needed here, or null for what is usual")
            if value not in (None, trained[key]):
                raise UserError(
                    f"fusion.{key}={str(value).lower()}: the checkpoint carries its own network, trained with "
                    f"{str(trained[key]).lower()}; leave the setting out, it is for checkpoints of the released code"
                )
        settings = {f"fusion.{key}": value for key, value in trained.items()}
        if not (released and self.network.stages and any(given.get(key) is None for key in trained)):
            return settings, ""
        attends = " ".join(f"{key}={str(value).lower()}" for key, value in settings.items())
        return settings, (
            f"A released checkpoint cannot tell what its TPAVI attends to: {attends} is assumed; if it was trained "
            "otherwise, say so with these two settings"
        )

    def label(self) -> str:
        return f"encoder={self.hparams['encoder']['name']} with decoder={self.network.decoder_name}"

    def table_parts(self) -> list[tuple[str, nn.Module]]:
        parts = [(f"network.{name}", part) for name, part in self.network.named_children()]
        return [*parts, *((name, part) for name, part in super().table_parts() if part is not self.network)]

    def forward(self, batch: ClipBatch) -> NetworkOutput:
        audio = None
        if self.audio_encoder is not None:
            audio = self.audio_encoder(batch.sound.patches(batch.images.shape[1]).to(batch.images.dtype))
        out: NetworkOutput = self.network(batch.images, audio, batch.lengths)
        for stage, projection in self.projections.items():
            out.audio[int(stage) - 1] = projection(audio)
        return out

    def losses(self, out: NetworkOutput, batch: ClipBatch) -> dict[str, Tensor]:
        terms = dict(self.network.decoder.losses(out, batch))
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


def hears(hyper_parameters: Mapping[str, Any]) -> bool:
    """Say whether anything in a method with these arguments hears: a network without fusion has no audio encoder."""
    fusion, loss = hyper_parameters["fusion"], hyper_parameters["loss"]
    return bool(fusion.get("stages", (1,)) and fusion.get("audio", True)) or bool(loss.get("project"))
