"""Masks as picture files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avs_lightning.reporting.mask_files import read_labels, write_labels
from avs_lightning.reporting.palette import class_colours

LABELS = np.random.default_rng(0).integers(0, 4, (6, 8)).astype(np.uint8)


@pytest.mark.parametrize("classes", [4, 256])
def test_labels_come_back_and_are_seen_in_their_colours(tmp_path: Path, classes: int) -> None:
    write_labels(tmp_path / "a.png", LABELS, classes)
    assert (read_labels(tmp_path / "a.png") == LABELS).all()
    assert (np.asarray(Image.open(tmp_path / "a.png").convert("RGB")) == np.array(class_colours(classes))[LABELS]).all()


def test_of_two_classes_white_is_on(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.png", LABELS, 2)
    assert Image.open(tmp_path / "a.png").mode == "1"
    assert (read_labels((tmp_path / "a.png").read_bytes()) == (LABELS > 0)).all()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_white_is_on_in_every_kind_of_picture(tmp_path: Path, mode: str) -> None:
    Image.fromarray((LABELS > 0).astype(np.uint8) * 255).convert(mode).save(tmp_path / "a.png")
    assert (read_labels(tmp_path / "a.png") == (LABELS > 0)).all()


def test_no_picture_is_an_error() -> None:
    with pytest.raises(OSError):
        read_labels(b"no picture")
