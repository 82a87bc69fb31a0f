"""The data of a run: three splits, loaded by workers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from avs_lightning.data.clip import Clip, ClipBatch, collate_clips, example_batch
from avs_lightning.data.datasets import ClipDataset
from avs_lightning.data.layouts import absolute_root
from avs_lightning.data.loader_processes import shared_batch
from avs_lightning.data.metadata import SPLITS
from avs_lightning.errors import UserError


class ClipDataModule(pl.LightningDataModule, ABC):
    """Train, val and test clips of a data set as `ClipBatch`es: what training, studies and reports ask of one.

    A data set is a subclass in a file of its own, and a file in `conf/data` that names it by `_target_`. It says its
    `classes` and `frames`, whether its clips are `synthetic`, and builds the `ClipDataset` of a split
    (`build_dataset`); all else is here. Its arguments are plain values, saved as `hparams`: a checkpoint names the
    class and holds them, so that `avs eval` finds the data again.

    The order of training epoch e depends on (seed, e) alone, so that a resumed run sees the clips that an uninterrupted
    one would, whatever the number of workers. Over several processes each loader deals its clips out evenly and repeats
    some to make the shares equal, as all processes must take the same number of steps; metrics drop the repeats by
    `ClipBatch.indices`. Lightning leaves these samplers alone, with any `use_distributed_sampler`.

    Args:
        name: of the data set, as tables and records have it.
        root: the folder of the data set; kept as an absolute path, so that a checkpoint finds it from any folder.
        image_size: height and width of frames and masks, in pixels.
        batch_size: training clips a batch and process.
        eval_batch_size: val and test clips a batch and process; scores do not depend on it.
        workers: loader processes for each split; 0 loads in the main process.
        persistent_workers: keep the workers from one epoch to the next.
        pin_memory: "auto" pins where there is a CUDA device.
        seed: decides the order of training clips.
        limit: take the first `limit` clips of each split only.

    Attributes:
        name, image_size: of the arguments.

    Raises:
        UserError: an option that is not allowed; from `check`, `setup` and `dataset`, data that is not there.
    """

    def __init__(
        self,
        name: str,
        root: str | Path,
        image_size: int = 224,
        batch_size: int = 4,
        eval_batch_size: int = 4,
        workers: int = 2,
        persistent_workers: bool = True,
        pin_memory: bool | Literal["auto"] = "auto",
        seed: int = 123,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        numbers = (("batch_size", batch_size, 1), ("eval_batch_size", eval_batch_size, 1), ("limit", limit, 1))
        for option, value, least in (*numbers, ("workers", workers, 0)):
            if value is not None and value < least:
                raise UserError(f"data.{option}={value}: must be at least {least}")
        self.name, self.image_size = name, image_size
        self.save_hyperparameters(logger=False)  # of a subclass, too
        self.hparams["root"] = absolute_root(root)
        self._datasets: dict[str, ClipDataset] = {}

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The names of the classes by their index in `ClipBatch.labels`, the background first.

        ("background", "sounding") is the binary task, for which a network has one logit a pixel.
        """

    @property
    @abstractmethod
    def frames(self) -> int:
        """T, the frames of the longest clip, a second each."""

    @property
    @abstractmethod
    def synthetic(self) -> bool:
        """Whether the clips are drawn (`avs data make`), so that no published score is comparable with theirs."""

    @abstractmethod
    def build_dataset(self, split: str) -> ClipDataset:
        """Read what there is of "train", "val" or "test".

        Raises:
            UserError: there is no data set, or no clip of this split.
        """

    def dataset(self, split: str) -> ClipDataset:
        """The clips of "train", "val" or "test", looked up once."""
        if split not in self._datasets:
            self._datasets[split] = self.build_dataset(split)
        return self._datasets[split]

    def example_batch(self, clips: int = 1) -> ClipBatch:
        """Return noise in the shapes of this data's batches, without reading any file of a clip."""
        return example_batch(clips, self.image_size, self.frames, len(self.classes))

    def clip_counts(self) -> dict[str, int]:
        """How many clips each split has.

        Raises:
            UserError: there is no data set.
        """
        return {split: len(self.dataset(split)) for split in SPLITS}

    def check(self, *splits: str) -> None:
        """Read the metadata, so that a wrong root or CSV is told before anything costs time.

        Args:
            splits: that have to be there; by default those that training needs.
        """
        for split in splits or ("train", "val"):
            self.dataset(split)

    def setup(self, stage: str | None = None) -> None:
        """Read the CSV; a missing data root shows here, before anything is trained."""
        splits = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ()}
        for split in splits.get(stage or "", SPLITS):
            self.dataset(split)

    def train_dataloader(self) -> DataLoader[ClipBatch]:
        """Batches of training clips, in another order each epoch."""
        return self._loader(self.dataset("train"), self.hparams["batch_size"], shuffle=True, again=True)

    def val_dataloader(self) -> DataLoader[ClipBatch]:
        """Batches of val clips, in the order of the CSV."""
        return self._loader(self.dataset("val"), self.hparams["eval_batch_size"], shuffle=False, again=True)

    def test_dataloader(self) -> DataLoader[ClipBatch]:
        """Batches of test clips, in the order of the CSV."""
        return self.eval_dataloader(self.dataset("test"))

    def eval_dataloader(self, dataset: Dataset[Clip]) -> DataLoader[ClipBatch]:
        """Batches of any clips, in their order; gone through once, so that no workers are kept."""
        return self._loader(dataset, self.hparams["eval_batch_size"], shuffle=False, again=False)

    def _loader(self, dataset: Dataset[Clip], batch_size: int, shuffle: bool, again: bool) -> DataLoader[Any]:
        hp: Any = self.hparams
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=ClipSampler(dataset, shuffle, hp.seed, self._epoch),
            num_workers=hp.workers,
            persistent_workers=again and hp.persistent_workers and hp.workers > 0,
            pin_memory=torch.cuda.is_available() if hp.pin_memory == "auto" else hp.pin_memory,
            collate_fn=partial(shared_batch if hp.workers else collate_clips, frames=self.frames),
            # It seeds the workers, and keeps the loader from drawing on the random stream of the model.
            generator=torch.Generator().manual_seed(hp.seed),
        )

    def _epoch(self) -> int | None:
        counted: Any = self.trainer.fit_loop.epoch_progress.current if self.trainer else None
        return counted.processed if counted else None


class ClipSampler(DistributedSampler[Clip]):
    """The clips of the present process: a share that is equal in size for all processes; one process has them all.

    A `DistributedSampler` even for one process, so that Lightning does not replace it. The order hangs on the seed and
    the epoch, which is looked up when an iteration begins: `set_epoch`, which Lightning calls as well, comes too late
    for a run that goes on, whose loader has its iterator before, and draws from it at once where it has workers.

    Args:
        dataset: of which the clips are.
        shuffle: whether to draw another order each epoch.
        seed: of the order.
        epoch: returns the number of the epoch that is about to begin; None: where no Trainer counts them.
    """

    def __init__(self, dataset: Dataset[Clip], shuffle: bool, seed: int, epoch: Callable[[], int | None]) -> None:
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        world = torch.distributed.get_world_size() if distributed else 1
        rank = torch.distributed.get_rank() if distributed else 0
        super().__init__(dataset, num_replicas=world, rank=rank, shuffle=shuffle, seed=seed)
        self._present_epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        if (epoch := self._present_epoch()) is not None:
            self.set_epoch(epoch)
        return super().__iter__()
