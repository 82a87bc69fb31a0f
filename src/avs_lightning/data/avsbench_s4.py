"""AVSBench S4: one sounding object a clip (Zhou et al., ECCV 2022)."""

from avs_lightning.data.avsbench import AVSBenchDataModule
from avs_lightning.data.datasets import LayoutDataset
from avs_lightning.data.layouts import SingleSourceLayout


class SingleSourceDataset(LayoutDataset):
    """S4, single source: `Single-source/`; training clips are labelled on their first frame only."""

    layout_type = SingleSourceLayout


class S4DataModule(AVSBenchDataModule):
    """S4: 3,452 / 740 / 740 clips in 23 categories."""

    dataset_type = SingleSourceDataset
