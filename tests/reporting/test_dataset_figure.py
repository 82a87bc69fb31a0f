from pathlib import Path

import pytest
from matplotlib.axes import Axes
from PIL import Image

from avs_lightning.data.stats import clip_counts
from avs_lightning.errors import UserError
from avs_lightning.reporting.dataset_figure import dataset_figure, write_dataset_figure


def lengths(axes: Axes) -> dict[str, float]:
    """The whole length of each bar, by its name."""
    names = [label.get_text() for label in axes.get_yticklabels()]
    bars = [[bar.get_width() for bar in container] for container in axes.containers]  # type: ignore[attr-defined]
    return dict(zip(names, map(sum, zip(*bars))))


def test_single_source_bars_are_the_categories_most_clips_first(shared: Path) -> None:
    (axes,) = dataset_figure(clip_counts(shared / "avsbench" / "s4_meta_data.csv")).axes
    bars = lengths(axes)
    assert len(bars) == 23
    assert sum(bars.values()) == 4932
    assert bars["helicopter"] == 311
    assert list(bars)[:2] == ["helicopter", "female singing"]
    assert list(bars.values()) == sorted(bars.values(), reverse=True)
    assert axes.yaxis_inverted()
    assert [text.get_text() for text in axes.texts][:2] == ["311", "305"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "val", "test"]  # type: ignore[union-attr]


def test_multi_source_bars_show_the_shared_sources(shared: Path) -> None:
    (axes,) = dataset_figure(clip_counts(shared / "avsbench" / "ms3_meta_data.csv")).axes
    assert lengths(axes) == {"train": 296, "val": 64, "test": 64}
    assert [bar.get_width() for bar in axes.containers[1]] == [0, 41, 38]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["a.png", "sub/a.pdf", "a.svg"])
def test_figure_files(tmp_path: Path, shared: Path, name: str) -> None:
    path = write_dataset_figure(clip_counts(shared / "avsbench" / "s4_meta_data.csv"), tmp_path / name)
    assert path.stat().st_size > 5_000
    if path.suffix == ".png":
        assert Image.open(path).width == 1440


def test_bad_paths(tmp_path: Path, shared: Path) -> None:
    counts = clip_counts(shared / "avsbench" / "ms3_meta_data.csv")
    with pytest.raises(UserError, match=r"is written as \.png, \.pdf, \.svg, not as '\.pngg'; did you mean \.png"):
        write_dataset_figure(counts, tmp_path / "a.pngg")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_dataset_figure(counts, tmp_path / "file" / "a.png")
