"""A method in anybody's Trainer: plain data loaders or a data module of one's own, and callbacks of ours or none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from tests.networks import tiny_avs
from torch.utils.data import DataLoader

from avs_lightning import load_method
from avs_lightning.data import ClipBatch, MultiSourceDataset, collate_clips, example_batch
from avs_lightning.errors import UserError
from avs_lightning.reporting.clip_records import ClipRecords
from avs_lightning.reporting.pictures import ClipPictures
from avs_lightning.run import Run
from avs_lightning.training.checkpoints import BestCheckpoint, InterruptedCheckpoint, LastCheckpoint
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.gradient_norm import GradientNorm
from avs_lightning.training.history import EpochBar, History
from avs_lightning.training.progress import RunProgress


def loader(root: Path, split: str) -> DataLoader[ClipBatch]:
    return DataLoader(MultiSourceDataset(root, split, 32), batch_size=2, collate_fn=collate_clips)


class OwnData(pl.LightningDataModule):
    """A data module that knows nothing of this package but the batch."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.train_dataloader = lambda: loader(Path(root), "train")  # type: ignore[method-assign]
        self.val_dataloader = lambda: loader(Path(root), "val")  # type: ignore[method-assign]
        self.test_dataloader = lambda: loader(Path(root), "test")  # type: ignore[method-assign]


def trainer(folder: Path, *callbacks: Callback, **options: Any) -> pl.Trainer:
    given = {"max_epochs": 1, "accelerator": "cpu", "logger": False, "enable_model_summary": False, **options}
    return pl.Trainer(default_root_dir=folder, callbacks=list(callbacks), **given)


def test_plain_loaders_and_lightnings_own_callbacks_do(tiny_ms3: Path, avs: Callable, tmp_path: Path) -> None:
    method, run = tiny_avs(image_size=32), trainer(tmp_path)
    run.fit(method, loader(tiny_ms3, "train"), loader(tiny_ms3, "val"))
    assert 0 <= float(run.callback_metrics["val/miou_frame"]) <= 1
    assert set(run.test(method, loader(tiny_ms3, "test"), verbose=False)[0]) >= {"test/miou_frame", "test/fscore_frame"}
    checkpoint, batch = run.checkpoint_callback.best_model_path, example_batch(1, 32)  # type: ignore[union-attr]
    with torch.no_grad():
        torch.testing.assert_close(load_method(checkpoint)(batch).logits, method.eval()(batch).logits)
    unknown = avs("eval", f"checkpoint={checkpoint}", f"paths.output_dir={tmp_path}/unknown")
    assert unknown.code == 1
    assert "name a data set" in unknown.err
    named = ["data=ms3", f"data.root={tiny_ms3}", "data.image_size=32", "data.workers=0", "probes=none"]
    scored = avs("eval", f"checkpoint={checkpoint}", *named, f"paths.output_dir={tmp_path}/eval")
    assert scored.code == 0, scored.err
    assert "mIoU" in scored.out


def test_our_callbacks_do_without_our_data_module(tiny_ms3: Path, avs: Callable, tmp_path: Path) -> None:
    method, data = tiny_avs(image_size=32), OwnData(str(tiny_ms3))
    said = [RunProgress(), TrainingCost(), EpochBar(), ClipPictures(1, 1), ClipRecords(1), GradientNorm(), History()]
    run = trainer(tmp_path, *said, BestCheckpoint(), LastCheckpoint(), InterruptedCheckpoint(), max_epochs=2)
    run.fit(method, datamodule=data)
    left = ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "pictures/val_epoch_002_0.png", "pictures/curves.png")
    assert not [name for name in left if not (tmp_path / name).exists()]
    progress = Run(tmp_path).progress
    assert progress is not None
    assert (progress.phase, progress.epochs) == ("train", 2)
    run.test(method, datamodule=data, verbose=False)
    assert len((tmp_path / "clips.csv").read_text().splitlines()) == 1 + 3
    assert load_method(tmp_path)(example_batch(1, 32)).logits.shape == (1, 5, 1, 32, 32)
    ended = avs("eval", f"checkpoint={tmp_path}/checkpoints/best.ckpt", f"paths.output_dir={tmp_path}/eval")
    assert ended.code == 1
    assert "OwnData" in ended.err
    assert "not trusted" in ended.err


def test_batches_that_are_no_data_set_are_trained_on_and_not_drawn(tmp_path: Path) -> None:
    batches = DataLoader([example_batch(2, 32)], batch_size=None)  # type: ignore[arg-type, list-item]
    trainer(tmp_path, enable_checkpointing=False).fit(tiny_avs(image_size=32), batches, batches)
    drawn = trainer(tmp_path, ClipPictures(1, 1), enable_checkpointing=False)
    with pytest.raises(UserError, match=r"callbacks\.pictures.*list"):
        drawn.fit(tiny_avs(image_size=32), batches, batches)
