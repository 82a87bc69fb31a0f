"""The settings of AVS with the kind of value that each takes, and what its configuration resolves. Quick: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from avs_lightning.kinds import FLAG, PATH, TEXT, choice, many, number, optional, whole
from avs_lightning.targets import part_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

STAGES = many(whole())
SETTINGS = {
    "encoder.name": TEXT,
    "encoder.weights": PATH,  # imagenet, none, or a file
    "encoder.frozen": FLAG,
    "encoder.drop_path": number(0.0, 0.99),
    "audio_encoder.name": TEXT,
    "audio_encoder.weights": PATH,
    "audio_encoder.frozen": FLAG,
    "fusion.stages": STAGES,
    "fusion.audio": optional(FLAG),  # null in avs eval: what the checkpoint says
    "fusion.visual": optional(FLAG),
    "fusion.scope": choice("clip", "frame"),
    "decoder._target_": TEXT,
    "decoder.name": TEXT,
    "decoder.channels": whole(1, 4096),
    "method.loss.avm": choice("audio", "visual", "cosine"),
    "method.loss.avm_weight": number(0),
    "method.loss.avm_distance": choice("kl", "euclidean"),
    "method.loss.avm_normalize": FLAG,
    "method.loss.avm_stages": optional(STAGES),
    "method.loss.project": FLAG,
}


def label(*, _root_: DictConfig) -> str:
    """Return what runs of a network are called: encoder, stages of fusion, and the decoder where not the usual one."""
    stages, decoder = _root_.fusion.stages, part_name(_root_.decoder)  # stages that are no list are refused later
    several = isinstance(stages, Sequence) and not isinstance(stages, str)
    where = f"stage{'s' * (len(stages) > 1)}{''.join(map(str, stages))}" if several else f"stage{stages}"
    parts = (str(_root_.encoder.name), where if stages else "none", *([decoder] if decoder != "reference" else []))
    return "_".join(parts)


RESOLVERS = {"avs_label": label}
