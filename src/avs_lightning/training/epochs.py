"""Epochs as people count them, from one; Lightning's own counter, in its checkpoints too, begins with zero."""

from collections.abc import Mapping

TRAINING = ("train/", "val/", "cost/")
"""What the names of values begin with that belong to an epoch; those of a test belong to none."""


def epoch_of(number: int, epochs: int | None) -> str:
    """Return "Epoch  3/15"; "Epoch 3" where steps or time alone end the training."""
    return f"Epoch {number:>{len(str(epochs))}}/{epochs}" if epochs and epochs > 0 else f"Epoch {number}"


def with_epoch_from_one(metrics: Mapping[str, float], training: bool) -> dict[str, float]:
    """Return what Lightning hands to a logger with its epoch counted from one, or without where it is of a test.

    Args:
        metrics: values by name, with Lightning's "epoch" among them or not.
        training: this is logged by a training, and not by an evaluation.
    """
    row = dict(metrics)
    epoch = row.pop("epoch", None)
    if epoch is not None and training and any(name.startswith(TRAINING) for name in row):
        row["epoch"] = epoch + 1
    return row
