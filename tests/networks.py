"""The smallest AVS there is, for tests of what stands around a network."""

from collections.abc import Mapping, Sequence
from typing import Any

from avs_lightning.data import BINARY
from avs_lightning.methods.avs import AVSMethod

GROUPS = {
    "encoder": ("weights", "frozen", "drop_path"),
    "fusion": ("stages", "audio", "visual", "scope"),
    "decoder": ("channels",),
}


def tiny_avs(
    loss: Mapping[str, Any] | None = None,
    audio_encoder: Mapping[str, Any] | None = None,
    encoder: str = "test_resnet",
    decoder: str = "reference",
    image_size: int = 224,
    classes: Sequence[str] = BINARY,
    **settings: Any,
) -> AVSMethod:
    """Build a method; `settings` are those of its groups, by their last names."""
    settings.setdefault("channels", 8)
    groups = {group: {key: settings.pop(key) for key in keys if key in settings} for group, keys in GROUPS.items()}
    assert not settings, settings
    return AVSMethod(
        encoder={"name": encoder, **groups["encoder"]},
        audio_encoder={"name": "small", "weights": "none", "frozen": False} | dict(audio_encoder or {}),
        fusion=groups["fusion"],
        decoder={"name": decoder, **groups["decoder"]},
        loss={"avm": "audio", "avm_weight": 0.5, "avm_distance": "kl", **(loss or {})},
        image_size=image_size,
        classes=classes,
    )
