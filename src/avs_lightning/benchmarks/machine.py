"""What a benchmark ran on, as far as it explains the numbers."""

import datetime
import platform
from pathlib import Path

import torch

from avs_lightning.machine import available_cores, memory_gib


def describe_machine() -> dict[str, str | int | float | None]:
    """Return the date, processor, cores, memory, accelerator and versions; nothing that identifies the machine."""
    cuda = torch.cuda.is_available()
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": _cpu_name(),
        "cores": available_cores(),
        "torch_threads": torch.get_num_threads(),
        "memory_gb": memory_gib(),
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "gpu_memory_gb": round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1) if cuda else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
