"""The Trainer's processes and callbacks."""

import os

import pytest
from omegaconf import OmegaConf

from avs_lightning.errors import UserError
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.sync_batch_norm import BatchNormSync
from avs_lightning.training.trainer import LastCheckpoint, build_trainer, check_processes


@pytest.mark.parametrize("devices", [1, 2, "auto", [0, 1], None])
def test_processes_that_a_machine_can_run(devices: object) -> None:
    check_processes({"accelerator": "cpu", "devices": devices})


def test_more_processes_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    check_processes({"accelerator": "cpu", "devices": 4})
    check_processes({"accelerator": "gpu", "devices": 8})
    with pytest.raises(UserError, match=r"trainer.devices=5: .* this machine has 4 cores"):
        check_processes({"accelerator": "cpu", "devices": 5})


@pytest.mark.parametrize("given, strategy", [({"devices": 2}, "DDPStrategy"), ({"devices": 1}, "SingleDeviceStrategy")])
def test_several_devices_are_distributed(tmp_path: object, given: dict[str, int], strategy: str) -> None:
    cfg = {
        "trainer": {
            "accelerator": "cpu",
            "strategy": "auto",
            "num_nodes": 1,
            "sync_batchnorm": True,
            "enable_progress_bar": True,
            **given,
        },
        "callbacks": {"checkpoint": {"monitor": "val/miou_frame", "mode": "max"}, "pictures": {"clips": 0}},
    }
    trainer = build_trainer(OmegaConf.create(cfg), RunFolder(tmp_path), [])  # type: ignore[arg-type]
    assert type(trainer.strategy).__name__ == strategy
    synced = getattr(trainer.strategy, "_layer_sync", None)
    assert isinstance(synced, BatchNormSync) == (given["devices"] > 1)
    names = [type(callback).__name__ for callback in trainer.callbacks]
    # last.ckpt speaks of the best one: it has to be written after it.
    assert names.index("ModelCheckpoint") < names.index("LastCheckpoint")
    assert {"RichProgressBar", "RunProgress", "ClipRecords", "TrainingCost"} <= set(names)
    assert isinstance(trainer.checkpoint_callbacks[-1], LastCheckpoint)
