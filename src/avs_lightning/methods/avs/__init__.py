"""The published AVS (Zhou et al., ECCV 2022): network, sound, losses, and the checkpoints of the released code."""

from typing import TYPE_CHECKING

from avs_lightning.lazy import lazy_names

if TYPE_CHECKING:
    from avs_lightning.methods.avs.audio_encoders import SmallAudioEncoder as SmallAudioEncoder
    from avs_lightning.methods.avs.audio_encoders import build_audio_encoder as build_audio_encoder
    from avs_lightning.methods.avs.method import AVSMethod as AVSMethod
    from avs_lightning.methods.avs.network import AVS as AVS
    from avs_lightning.methods.avs.tpavi import TPAVI as TPAVI
    from avs_lightning.methods.avs.vggish import VGGish as VGGish

__all__ = ["AVS", "TPAVI", "AVSMethod", "SmallAudioEncoder", "VGGish", "build_audio_encoder"]

__getattr__ = lazy_names(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module, names in {
            "audio_encoders": ("SmallAudioEncoder", "build_audio_encoder"),
            "method": ("AVSMethod",),
            "network": ("AVS",),
            "tpavi": ("TPAVI",),
            "vggish": ("VGGish",),
        }.items()
        for name in names
    },
)
