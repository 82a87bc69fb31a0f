"""Checkpoints that are either whole or not there."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from avs_lightning.errors import UserError
from avs_lightning.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replaces a checkpoint when the new one is whole on disk: a kill or a full disk leaves the previous one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save `checkpoint` at `path`.

        Raises:
            UserError: the file could not be written (the disk is full, the folder is read-only).
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch wraps what a full disk raises into a RuntimeError
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            kept = "the checkpoint that was there before is whole" if target.exists() else "no earlier one is there"
            raise UserError(
                f"the checkpoint {target} could not be written: {cause}; {kept}. "
                f"Free some space and go on with avs train resume={target.parent.parent}"
            ) from error
