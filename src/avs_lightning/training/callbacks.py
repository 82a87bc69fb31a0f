"""The callbacks of a run: those that `callbacks` names, and those without which it would be no run."""

from collections.abc import Mapping
from typing import Any, TypeVar

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ProgressBar

from avs_lightning.errors import choose
from avs_lightning.methods import SegmentationMethod
from avs_lightning.targets import build_parts
from avs_lightning.training.checkpoints import BestCheckpoint, InterruptedCheckpoint, LastCheckpoint
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.progress import RunProgress

C = TypeVar("C", bound=Callback)


def build_callbacks(
    settings: Mapping[str, Any], method: SegmentationMethod, test_sets: int, training: bool, progress_bar: bool = True
) -> list[Callback]:
    """Build the members of `callbacks`, and around them what every run has.

    That is how far it is, and of a training what it costs and goes on from. The cost is logged before `History` reads
    it, and last.ckpt is written after the best checkpoint it speaks of.

    Args:
        settings: of `callbacks`, plain values.
        method: what will be trained or tested.
        test_sets: how many sounds the test split will be heard with; 0 for no test.
        training: whether the run trains, or else tests only.
        progress_bar: whether there is one: `trainer.enable_progress_bar`.

    Raises:
        UserError: there is no such class, it refuses its arguments, or the best checkpoint is to be chosen by a score
            that the method does not log.
    """
    named = build_parts(settings, "callbacks", Callback)
    named = [callback for callback in named if progress_bar or not isinstance(callback, ProgressBar)]
    for best in (callback for callback in named if isinstance(callback, BestCheckpoint)):
        choose(best.monitor, [f"val/{name}" for name in method.score_names], "callbacks.checkpoint.monitor")
    if not training:
        return [RunProgress(test_sets), *named]
    return [RunProgress(test_sets), TrainingCost(), *named, LastCheckpoint(), InterruptedCheckpoint()]


def callbacks_of(trainer: pl.Trainer, kind: type[C]) -> list[C]:
    """Return the trainer's callbacks of a kind."""
    return [callback for callback in trainer.callbacks if isinstance(callback, kind)]  # type: ignore[attr-defined]
