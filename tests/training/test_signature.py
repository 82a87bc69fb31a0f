"""Which settings can change what a run computes; which do and which do not is tested with the cells of studies."""

from typing import Any

import pytest

from avs_lightning.errors import UserError
from avs_lightning.training.signature import content, device_count


def test_a_name_that_is_no_file_stands_for_itself() -> None:
    assert content("imagenet") == "imagenet"
    assert content(None) is None


@pytest.mark.parametrize(
    "devices, count", [(2, 2), ("3", 3), ([0, 2], 2), ("0,1,2", 3), ("1,", 1), ("auto", 1), (-1, 1)]
)
def test_devices_are_counted(devices: Any, count: int) -> None:
    assert device_count({"devices": devices, "accelerator": "cpu"}) == count


@pytest.mark.parametrize("devices", ["two", 0, "", ",", -2, None, []])
def test_devices_that_mean_none_are_refused(devices: Any) -> None:
    with pytest.raises(UserError, match=r"trainer\.devices=.*give a number"):
        device_count({"devices": devices, "accelerator": "cpu"})
