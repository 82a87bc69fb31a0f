"""Networks: encoders, neck, TPAVI, decoders, and what is assembled from them."""

from avs_lightning.models.avs import AVS
from avs_lightning.models.output import NetworkOutput
from avs_lightning.models.tpavi import TPAVI

__all__ = ["AVS", "TPAVI", "NetworkOutput"]
