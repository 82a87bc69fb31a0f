"""On how many devices a run computes: the one reading of `trainer.devices`."""

from collections.abc import Mapping
from typing import Any

from avs_lightning.errors import UserError
from avs_lightning.machine import available_cores


def device_count(trainer: Mapping[str, Any]) -> int:
    """Return how many devices `trainer.devices` means on this machine.

    Args:
        trainer: the settings of `trainer`.

    Raises:
        UserError: it means none.
    """
    devices = trainer["devices"]
    if str(devices) in ("auto", "-1"):
        import torch

        return max(1, torch.cuda.device_count()) if trainer["accelerator"] != "cpu" else 1
    text = ",".join(map(str, devices)) + "," if isinstance(devices, (list, tuple)) else str(devices)
    numbers = [part.strip() for part in text.split(",") if part.strip()]
    if not numbers or not all(number.isdigit() for number in numbers) or text == "0":
        raise UserError(f"trainer.devices={devices}: give a number of devices, auto, or a list of them, as [0,1]")
    return len(numbers) if "," in text else int(text)


def process_count(trainer: Mapping[str, Any]) -> int:
    """Return of how many processes a run consists, over all nodes."""
    return device_count(trainer) * int(trainer.get("num_nodes") or 1)


def on_cpu(trainer: Mapping[str, Any]) -> bool:
    """Say whether a run with these settings of `trainer` computes on the CPU of this machine."""
    import torch

    if trainer["accelerator"] != "auto":
        return bool(trainer["accelerator"] == "cpu")
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def check_processes(trainer: Mapping[str, Any]) -> None:
    """Refuse more processes than cores: Lightning would start them all. Two are always allowed, to try it out.

    Raises:
        UserError: there would be too many.
    """
    cores, devices = available_cores(), device_count(trainer)
    if on_cpu(trainer) and devices > max(2, cores):
        raise UserError(f"trainer.devices={devices}: on the CPU each is a process, and this machine has {cores} cores")
