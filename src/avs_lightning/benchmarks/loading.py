"""The data loader: clips a second from PNG and wav, with one and two workers."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from avs_lightning.benchmarks.measuring import Comparison, Place, Variant, Work
from avs_lightning.data import S4DataModule
from avs_lightning.data.synthetic import write_dataset


def compare_workers(place: Place, quick: bool) -> Iterator[Comparison]:
    """Yield two workers against one, on synthetic S4 clips that exist only while this runs."""
    clips, side = (2, 32) if quick else (64, 224)
    with tempfile.TemporaryDirectory() as root:
        counts = {"train": clips, "val": 1, "test": 1}
        write_dataset(root, "s4", counts, size=side, videos=False, progress=False)
        two, one = (Variant(f"{n} worker(s)", partial(prepare_epoch, Path(root), side, n)) for n in (2, 1))
        yield Comparison(f"{clips} clips, {side}², PNG and wav", two, one, clips)


def prepare_epoch(root: Path, side: int, workers: int) -> Work:
    """Return one pass over the training clips; the workers stay from pass to pass."""
    module = S4DataModule(root, image_size=side, workers=workers)
    loader = module.train_dataloader()
    return lambda: sum(len(batch) for batch in loader)
