"""Where data sets keep each file of a clip: plain paths and CSVs, which load no torch."""

from avs_lightning.data.layouts.base import ClipRow, Layout, absolute_root
from avs_lightning.data.layouts.folder import FolderLayout
from avs_lightning.data.layouts.ms3 import MultiSourceLayout
from avs_lightning.data.layouts.s4 import SingleSourceLayout

LAYOUTS: tuple[type[Layout], ...] = (SingleSourceLayout, MultiSourceLayout, FolderLayout)
"""Those that `avs data check` and `avs data stats` find in a folder."""

__all__ = ["LAYOUTS", "ClipRow", "FolderLayout", "Layout", "MultiSourceLayout", "SingleSourceLayout", "absolute_root"]
