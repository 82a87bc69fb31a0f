"""The curves of a training as a picture: loss and validation score by epoch."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Epoch(NamedTuple):
    """What an epoch has come to.

    Attributes:
        number: from one.
        loss: mean training loss; None where none was logged.
        miou: mIoU of the validation split as a fraction, protocol `frame`; None where it was not validated.
    """

    number: int
    loss: float | None
    miou: float | None


def draw_curves(epochs: Sequence[Epoch], path: Path) -> None:
    """Draw the training loss and the validation mIoU, with the best epoch marked, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses = [(epoch.number, epoch.loss) for epoch in epochs if epoch.loss is not None]
    scores = [(epoch.number, 100 * epoch.miou) for epoch in epochs if epoch.miou is not None]
    panels = [("training loss, mean of the epoch", "", losses, "tab:blue")]
    panels.append(("validation mIoU, protocol frame", "%", scores, "tab:orange"))
    for axis, (title, unit, points, colour) in zip(figure.subplots(1, 2, squeeze=False)[0], panels):
        axis.plot(*zip(*points), color=colour, marker="o", markersize=3) if points else None
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="epoch", ylabel=unit)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    if scores:
        number, best = max(scores, key=lambda point: point[1])
        axis.plot(
            number, best, "o", markersize=9, fillstyle="none", color="black", label=f"best {best:.1f}, epoch {number}"
        )
        axis.legend(fontsize=9, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=100)
