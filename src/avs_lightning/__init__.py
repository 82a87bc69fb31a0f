"""Audio-visual segmentation: given a clip, mask the pixels that make the sound."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from avs_lightning.lazy import lazy_names

if TYPE_CHECKING:
    from avs_lightning.methods.avs import AVS as AVS
    from avs_lightning.methods.loading import load_method as load_method

__version__ = version("avs-lightning")
__all__ = ["AVS", "__version__", "load_method"]

__getattr__ = lazy_names(__name__, {"AVS": "avs_lightning.methods.avs", "load_method": "avs_lightning.methods.loading"})
