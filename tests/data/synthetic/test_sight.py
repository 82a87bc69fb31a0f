"""Sight alone must not solve the synthetic clips."""

from pathlib import Path

import pytest
import torch

from avs_lightning.data import MultiSourceDataset, SingleSourceDataset
from avs_lightning.data.synthetic import DEMO_CATEGORIES, write_dataset
from avs_lightning.data.synthetic.sight import object_masks
from avs_lightning.errors import UserError
from avs_lightning.metrics import mean_iou


@pytest.mark.parametrize("setting", ["s4", "ms3"])
def test_perfect_sight_without_hearing_stays_below_60_percent(tmp_path: Path, setting: str) -> None:
    clips = {"test": 60}
    folder = write_dataset(
        tmp_path, setting, clips, size=48, categories=DEMO_CATEGORIES, videos=False, progress=False, workers=1
    )
    objects, truth = object_masks(folder)
    dataset = (SingleSourceDataset if setting == "s4" else MultiSourceDataset)(tmp_path, "test", image_size=48)
    written = torch.stack([dataset[i].labels for i in range(60)]).float()
    assert torch.equal(truth, written > 0.5)  # drawn again as it was written
    painted = mean_iou(torch.where(objects, 9.0, -9.0), written, "frame").item()
    nothing = mean_iou(torch.full_like(written, -9.0), written, "frame").item()
    assert 0.3 < painted < 0.6  # of the 1.0 that hearing too would reach
    assert nothing < 0.15


def test_a_folder_without_a_synthetic_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no synthetic data set"):
        object_masks(tmp_path)
