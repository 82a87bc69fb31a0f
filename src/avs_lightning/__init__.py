"""Audio-visual segmentation: given a clip, mask the pixels that make the sound."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avs_lightning.models import AVS as AVS

__version__ = version("avs-lightning")
__all__ = ["AVS", "__version__"]


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: `avs --help` should not pay for it.
    if name == "AVS":
        from avs_lightning.models import AVS

        return AVS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
