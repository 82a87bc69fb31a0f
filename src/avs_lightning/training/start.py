"""What a training starts from, where it does not go on: weights of another network."""

import logging
import re
from collections.abc import Iterator

from avs_lightning.methods import SegmentationMethod
from avs_lightning.methods.loading import Start, start_from
from avs_lightning.reporting.console import console, is_first_process

log = logging.getLogger(__name__)


def initialise(method: SegmentationMethod, checkpoint: str | None) -> None:
    """Take the weights of `init.checkpoint`, and say which.

    Raises:
        UserError: the method may not start from it, or from nothing (None).
    """
    method.check_start(checkpoint)
    if checkpoint is None:
        return
    start = start_from(method, checkpoint)
    log.info("kept as built: %s; left out: %s", ", ".join(start.kept) or "none", ", ".join(start.left) or "none")
    if is_first_process():
        for line in describe_start(start, checkpoint):
            console.print(line, soft_wrap=True, markup=False)


def describe_start(start: Start, checkpoint: str) -> Iterator[str]:
    """Say what was taken from a checkpoint, and by its parts what was not."""
    counts = f"{len(start.taken)} entries taken over, {len(start.kept)} kept as built, {len(start.left)} left out"
    yield f"Starts from {checkpoint}: {counts}"
    for names, meaning in (
        (start.kept, "Not in the checkpoint, kept as built"),
        (start.left, "Of no use here, left out"),
    ):
        if names:
            parts = dict.fromkeys(re.sub(r"^(network\.(fusion\.)?\w+|\w+).*", r"\1", name) for name in names)
            yield f"{meaning}: {', '.join(parts)}"
    if start.released:
        yield "A checkpoint of the released code does not tell how its parts were used: taken as with these settings"
