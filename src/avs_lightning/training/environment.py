"""Where a run takes place: the command, the machine, the packages and the code."""

import importlib.metadata
import platform
from datetime import UTC, datetime
from typing import Any

from avs_lightning.command import typed_words
from avs_lightning.machine import available_cores, gpu_names, memory_gib
from avs_lightning.sources import code_version

PACKAGES = (
    "torch", "torchvision", "torchaudio", "pytorch-lightning", "torchmetrics", "hydra-core", "timm",
    "segmentation-models-pytorch", "numpy", "wandb",
)  # fmt: skip


def describe_environment(began: list[str] | None = None) -> dict[str, Any]:
    """Return what environment.json holds, plain values.

    Args:
        began: the command that began the run, where the present one goes on with it.
    """
    command = typed_words()
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": began or command,
        **({"resumed_by": command} if began and command != began else {}),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": available_cores(),
        "memory_gib": memory_gib(),
        "gpus": gpu_names(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "code": code_version(),
    }
