"""Clips a category and split as a figure, in the manner of Fig. A1 of the AVSBench paper."""

from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from avs_lightning.errors import UserError, near_matches

FORMATS = (".png", ".pdf", ".svg")
INK, PALE = "#22303c", "#d9dee3"
COLOURS = {
    "train": "#2b5c8a",
    "val": "#e9a13b",
    "test": "#7fb4a2",
    "own source video": "#2b5c8a",
    "source video also in train": "#e9a13b",
}


def write_dataset_figure(counts: pd.DataFrame, path: str | Path) -> Path:
    """Draw the result of `clip_counts` and write it as .png, .pdf or .svg.

    Raises:
        UserError: another ending, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UserError(
            f"{path}: a figure is written as {', '.join(FORMATS)}, not as {path.suffix or 'a name without ending'!r}"
            f"{near_matches(path.suffix, FORMATS)}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset_figure(counts).savefig(path, dpi=200)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def dataset_figure(counts: pd.DataFrame) -> Figure:
    """Draw the result of `clip_counts`: a bar a row, stacked by split (MS3: by whether training saw the source)."""
    bars = _stacks(counts)
    with rc_context({"font.family": "sans-serif", "font.size": 9, "text.color": INK, "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.2, 1.3 + 0.235 * max(len(bars), 4)))
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
        axes = figure.subplots()
        left = pd.Series(0, index=bars.index)
        for name, values in bars.items():
            axes.barh(bars.index, values, left=left, height=0.74, color=COLOURS[str(name)], label=name, linewidth=0)
            left = left + values
        for position, total in enumerate(left):
            axes.annotate(
                f"{total:,}",
                (total, position),
                (5, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_xlim(0, left.max() * 1.09)
        axes.set_xlabel("clips", color=INK)
        axes.set_title(counts.attrs["title"], loc="left", fontsize=11, fontweight="bold", pad=22)
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.005),
            borderaxespad=0,
            borderpad=0,
            ncols=3,
            frameon=False,
            handlelength=1,
            handleheight=1,
        )
        axes.tick_params(length=0, colors=INK)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.spines["left"].set_color(INK)
        axes.grid(axis="x", color=PALE, linewidth=0.7)
        axes.set_axisbelow(True)
    return figure


def _stacks(counts: pd.DataFrame) -> pd.DataFrame:
    """A row a bar, with a readable name; a column a part of the bar."""
    if "leaked" in counts:
        splits = counts.drop(index="all")
        parts = {"own source video": splits["clips"] - splits["leaked"], "source video also in train": splits["leaked"]}
        return pd.DataFrame(parts)
    return counts[["train", "val", "test"]].rename(index=lambda name: str(name).replace("_", " "))
