"""AVSBench MS3: several objects that may sound in a clip (Zhou et al., ECCV 2022)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from avs_lightning.data.avsbench import AVSBenchDataModule
from avs_lightning.data.datasets import LayoutDataset
from avs_lightning.data.layouts import ClipRow, MultiSourceLayout
from avs_lightning.data.splits import split_by_source
from avs_lightning.errors import choose

Partition = Literal["official", "by_source"]
PARTITIONS = ("official", "by_source")


class MultiSourceDataset(LayoutDataset):
    """MS3, multiple sources: `Multi-sources/`; every frame is labelled, clips have no category.

    What is not named here is as for `LayoutDataset`.

    Args:
        partition: "official", in which 38 of 64 test clips share their source video with a training clip, or
            "by_source", in which none does.
        partition_seed: draws the "by_source" partition; keep it while the training seed varies.
    """

    layout_type = MultiSourceLayout

    def __init__(
        self, *arguments: Any, partition: Partition = "official", partition_seed: int = 0, **options: Any
    ) -> None:
        choose(partition, PARTITIONS, "data.partition")
        self.partition = partition
        self.partition_seed = partition_seed
        super().__init__(*arguments, **options)

    def _select(self, clips: Sequence[ClipRow], split: str) -> list[ClipRow]:
        if self.partition == "official":
            return super()._select(clips, split)
        new = split_by_source([clip.id for clip in clips], self.partition_seed)
        return [clip for clip in clips if new[clip.id] == split]


class MS3DataModule(AVSBenchDataModule):
    """MS3: 296 / 64 / 64 clips; `partition` and `partition_seed` are those of `MultiSourceDataset`."""

    dataset_type = MultiSourceDataset

    def __init__(
        self, root: str | Path, partition: Partition = "official", partition_seed: int = 0, **options: Any
    ) -> None:
        choose(partition, PARTITIONS, "data.partition")
        super().__init__(root, **options)

    def dataset_options(self) -> dict[str, Any]:
        return super().dataset_options() | {name: self.hparams[name] for name in ("partition", "partition_seed")}
