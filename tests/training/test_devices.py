"""How many processes a run is."""

from typing import Any

import pytest

from avs_lightning.errors import UserError
from avs_lightning.training import devices
from avs_lightning.training.devices import check_processes, device_count, process_count


@pytest.mark.parametrize(
    "devices, count", [(2, 2), ("3", 3), ([0, 2], 2), ("0,1,2", 3), ("1,", 1), ("auto", 1), (-1, 1)]
)
def test_devices_are_counted(devices: Any, count: int) -> None:
    assert device_count({"devices": devices, "accelerator": "cpu"}) == count


@pytest.mark.parametrize("devices", ["two", 0, "", ",", -2, None, []])
def test_devices_that_mean_none_are_refused(devices: Any) -> None:
    with pytest.raises(UserError, match=r"trainer\.devices=.*give a number"):
        device_count({"devices": devices, "accelerator": "cpu"})


def test_nodes_multiply() -> None:
    assert process_count({"devices": [1], "accelerator": "gpu", "num_nodes": 3}) == 3


@pytest.mark.parametrize("devices", [1, 2, "auto", [0, 1]])
def test_processes_that_a_machine_can_run(devices: object) -> None:
    check_processes({"accelerator": "cpu", "devices": devices})


def test_more_processes_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available_cores", lambda: 4)
    check_processes({"accelerator": "cpu", "devices": 4})
    check_processes({"accelerator": "gpu", "devices": 8})
    with pytest.raises(UserError, match=r"trainer.devices=5: .* this machine has 4 cores"):
        check_processes({"accelerator": "cpu", "devices": 5})
