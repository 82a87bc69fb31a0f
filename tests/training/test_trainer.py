"""The Trainer's processes and callbacks."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from tests.networks import tiny_avs

from avs_lightning.data import example_batch
from avs_lightning.methods.avs import AVSMethod
from avs_lightning.training.checkpoints import LastCheckpoint
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.sync_batch_norm import BatchNormSync
from avs_lightning.training.trainer import build_trainer


def method(network: dict[str, Any] | None = None, loss: dict[str, Any] | None = None) -> AVSMethod:
    return tiny_avs(loss, image_size=32, **(network or {}))


def config(devices: Any) -> DictConfig:
    return OmegaConf.create(
        {
            "trainer": {
                "accelerator": "cpu",
                "strategy": "auto",
                "num_nodes": 1,
                "sync_batchnorm": True,
                "enable_progress_bar": True,
                "devices": devices,
            },
            "callbacks": {"checkpoint": {"monitor": "val/miou_frame", "mode": "max"}, "pictures": {"clips": 0}},
        }
    )


@pytest.mark.parametrize(
    "devices, strategy", [(2, "DDPStrategy"), ("1", "SingleDeviceStrategy"), ("auto", "SingleDeviceStrategy")]
)
def test_several_devices_are_distributed(tmp_path: Path, devices: Any, strategy: str) -> None:
    trainer = build_trainer(config(devices), RunFolder(tmp_path), [], method(), example_batch(1, 32))
    assert type(trainer.strategy).__name__ == strategy
    synced = getattr(trainer.strategy, "_layer_sync", None)
    assert isinstance(synced, BatchNormSync) == (strategy == "DDPStrategy")
    names = [type(callback).__name__ for callback in trainer.callbacks]
    # last.ckpt speaks of the best one: it has to be written after it.
    assert names.index("BestCheckpoint") < names.index("LastCheckpoint")
    assert {"EpochBar", "History", "RunProgress", "ClipRecords", "TrainingCost"} <= set(names)
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
    trainer = build_trainer(config(2), RunFolder(tmp_path), [], method(network, loss), example_batch(1, 32))
    assert trainer.strategy._ddp_kwargs.get("find_unused_parameters", False) == idle
