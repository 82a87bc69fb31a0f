"""Networks: encoders, neck, TPAVI, decoders, and what is assembled from them."""

from avs_lightning.models.audio_encoders import SmallAudioEncoder, build_audio_encoder
from avs_lightning.models.avs import AVS
from avs_lightning.models.output import NetworkOutput
from avs_lightning.models.tpavi import TPAVI
from avs_lightning.models.vggish import VGGish

__all__ = ["AVS", "TPAVI", "NetworkOutput", "SmallAudioEncoder", "VGGish", "build_audio_encoder"]
