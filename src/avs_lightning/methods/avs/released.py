"""Checkpoints of the released code: to our networks (`AVS.from_reference`, `VGGish.from_reference`) and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from avs_lightning.errors import UserError
from avs_lightning.methods.avs.network import AVS, STAGES
from avs_lightning.methods.avs.reference_names import reference_name
from avs_lightning.methods.avs.vggish import VGGish
from avs_lightning.models.weights import tensors_of

ENCODER_OF_PREFIX = {"resnet.": "resnet50", "encoder_backbone.": "pvt_v2_b5"}

RELEASED: dict[str, tuple[Any, ...]] = {
    "encoder": tuple(ENCODER_OF_PREFIX.values()),
    "decoder": ("reference",),
    "scope": ("clip",),
    "channels": (256,),
    "audio_channels": (128,),
}
"""What the networks of the released code can be, by the argument of `AVS`."""


@dataclass
class ReferenceCheckpoint:
    """What a checkpoint of the released code says about its network.

    Attributes:
        encoder: "resnet50" or "pvt_v2_b5".
        stages: where it has TPAVI modules. Whether they read sound, pixels or both no checkpoint tells.
        entries: the state dict of `AVS(encoder, stages=stages)`.
    """

    encoder: str
    stages: tuple[int, ...]
    entries: dict[str, Tensor]


def describe_reference(state_dict: Mapping[str, Any]) -> ReferenceCheckpoint:
    """Tell a checkpoint of the released code by its entries, and translate these.

    Raises:
        UserError: it is not one of theirs, or entries are missing, unexpected or of another shape: lists them.
    """
    entries = tensors_of(state_dict)
    encoders = [encoder for prefix, encoder in ENCODER_OF_PREFIX.items() if any(n.startswith(prefix) for n in entries)]
    if len(encoders) != 1:
        raise UserError(
            "this is no checkpoint of the released AVS: it should hold entries that start with either "
            f"{' or '.join(ENCODER_OF_PREFIX)}, and the first of its {len(entries)} entries is {next(iter(entries))}"
        )
    stages = tuple(i for i in STAGES if any(n.startswith(f"tpavi_b{i}.") for n in entries))
    return ReferenceCheckpoint(encoders[0], stages, AVS.from_reference(entries, encoders[0], stages).state_dict())


def to_reference(network: AVS | VGGish) -> dict[str, Tensor]:
    """Translate a network's entries into those that the released code loads strictly.

    The unused twins of a ResNet's last stages are written as copies.

    Raises:
        UserError: the released code has no such network.
    """
    if isinstance(network, VGGish):
        return dict(network.state_dict())
    options = network.hyper_parameters
    for option, needed in RELEASED.items():
        value = str(options[option]).partition(".")[0] if option == "encoder" else options[option]
        if value not in needed:
            only = " or ".join(map(str, needed))
            raise UserError(f"the released code has no network with {option}={options[option]}, only with {only}")
    entries = {reference_name(name, options["encoder"]): value for name, value in network.state_dict().items()}
    twins = {
        name.replace(f"layer{i}_1.", f"layer{i}_2.", 1): value.clone()
        for name, value in entries.items()
        for i in (3, 4)
        if name.startswith(f"resnet.layer{i}_1.")
    }
    return entries | twins
