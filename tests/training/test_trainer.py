"""The Trainer's processes and callbacks."""

from pathlib import Path
from typing import Any

import pytest
from tests.networks import tiny_avs

from avs_lightning.data import example_batch
from avs_lightning.errors import UserError
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.training.callbacks import build_callbacks
from avs_lightning.training.checkpoints import LastCheckpoint
from avs_lightning.training.sync_batch_norm import BatchNormSync
from avs_lightning.training.trainer import build_trainer

NAMED = {
    "history": {"_target_": "avs_lightning.training.history.History"},
    "checkpoint": {"_target_": "avs_lightning.training.checkpoints.BestCheckpoint"},
}


def method(network: dict[str, Any] | None = None, loss: dict[str, Any] | None = None) -> AVSMethod:
    return tiny_avs(loss, image_size=32, **(network or {}))


def trainer_of(devices: Any, method: AVSMethod, folder: Path, **callbacks: Any) -> Any:
    settings = {
        "accelerator": "cpu",
        "strategy": "auto",
        "num_nodes": 1,
        "sync_batchnorm": True,
        "enable_progress_bar": True,
        "devices": devices,
    }
    named = {**NAMED, **callbacks}
    built = build_callbacks(named, method, test_sets=1, training=True)
    return build_trainer(settings, folder, [], built, lambda: method.idle_parameters(example_batch(1, 32)))


@pytest.mark.parametrize(
    "devices, strategy", [(2, "DDPStrategy"), ("1", "SingleDeviceStrategy"), ("auto", "SingleDeviceStrategy")]
)
def test_several_devices_are_distributed(tmp_path: Path, devices: Any, strategy: str) -> None:
    trainer = trainer_of(devices, method(), tmp_path)
    assert type(trainer.strategy).__name__ == strategy
    synced = getattr(trainer.strategy, "_layer_sync", None)
    assert isinstance(synced, BatchNormSync) == (strategy == "DDPStrategy")
    names = [type(callback).__name__ for callback in trainer.callbacks]
    # last.ckpt speaks of the best one: it has to be written after it.
    assert names.index("BestCheckpoint") < names.index("LastCheckpoint")
    assert names.index("TrainingCost") < names.index("History")  # which says the pace that the other logs
    assert "RunProgress" in names
    assert isinstance(trainer.checkpoint_callbacks[-1], LastCheckpoint)


@pytest.mark.parametrize(
    "network, loss, idle",
    [
        ({}, {}, False),
        ({"audio": False, "visual": True}, {}, False),  # nothing hears, and there is no audio encoder
        ({"decoder": "deeplabv3plus", "stages": (2, 3)}, {"avm_weight": 0}, True),
        ({"stages": ()}, {"avm_weight": 0, "project": True}, True),  # nor needs the projections
        ({"stages": ()}, {"project": True}, False),
    ],
)
def test_processes_wait_for_no_gradient_that_does_not_come(
    tmp_path: Path, network: dict[str, Any], loss: dict[str, Any], idle: bool
) -> None:
    trainer = trainer_of(2, method(network, loss), tmp_path)
    assert trainer.strategy._ddp_kwargs.get("find_unused_parameters", False) == idle


def test_a_callback_goes_by_null_and_another_comes_by_its_class(tmp_path: Path) -> None:
    more = {"early_stopping": {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/miou_frame"}}
    trainer = trainer_of(1, method(), tmp_path, history=None, **more)
    names = [type(callback).__name__ for callback in trainer.callbacks]
    assert "EarlyStopping" in names
    assert "History" not in names
    with pytest.raises(UserError, match=r"callbacks\.mine\._target_=None"):
        trainer_of(1, method(), tmp_path, mine={"patience": 3})
    bar = {"progress_bar": {"_target_": "pytorch_lightning.callbacks.TQDMProgressBar"}}
    assert len(build_callbacks(bar, method(), 0, training=True, progress_bar=False)) == len(
        build_callbacks({}, method(), 0, training=True)
    )
