"""Checkpoints that are either whole or not there."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from avs_lightning.errors import UserError


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to disk, then renames: a kill or a full disk leaves the previous file whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save `checkpoint` at `path`.

        Raises:
            UserError: the file could not be written (the disk is full, the folder is read-only).
        """
        target = Path(path)
        part = target.with_name(f"{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except (OSError, RuntimeError) as error:  # torch wraps what a full disk raises into a RuntimeError
            part.unlink(missing_ok=True)
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            kept = "the checkpoint that was there before is whole" if target.exists() else "no earlier one is there"
            raise UserError(
                f"the checkpoint {target} could not be written: {cause}; {kept}. "
                "Free some space (or give another paths.output_dir) and go on with avs train resume=<run folder>"
            ) from error
