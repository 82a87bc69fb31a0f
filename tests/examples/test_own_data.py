"""The data set of examples/own_method: a layout of its own, four classes, clips of two to four seconds."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from avs_lightning.errors import UserError

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "own_method"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.syspath_prepend(FOLDER)
    root = tmp_path / "shapes"
    importlib.import_module("own_method.drawing").draw_clips(root, train=6, val=3, test=3, size=32)
    return root


def module(root: Path, **options: Any) -> Any:
    found = importlib.import_module("own_method.data")
    return found.ShapesDataModule(root, image_size=32, batch_size=3, workers=0, **options)


def test_its_batches_are_those_of_any_other_set(drawn: Path) -> None:
    data = module(drawn)
    data.check()
    assert (data.name, data.classes, data.frames) == ("shapes", ("background", "bell", "drum", "flute"), 4)
    assert data.clip_counts() == {"train": 6, "val": 3, "test": 3}
    (batch,) = data.test_dataloader()
    assert batch.images.shape == (3, 4, 3, 32, 32)
    assert batch.lengths == [2, 3, 4]
    assert torch.equal(batch.labelled, batch.valid)
    assert set(batch.labels.unique().tolist()) <= {0, 1, 2, 3}
    assert batch.labels.flatten(2).any(2).equal(batch.valid)
    assert batch.sound.length.tolist() == [32_000, 48_000, 64_000]


def test_what_is_marked_is_what_is_heard(drawn: Path) -> None:
    """A tone a class: the loudest frequency of each second says which."""
    pitches = importlib.import_module("own_method.drawing").PITCHES
    for clip in (module(drawn).dataset("train")[index] for index in range(6)):
        assert clip.sound.waveform is not None
        loudest = torch.fft.rfft(clip.sound.waveform.unflatten(0, (-1, 16_000))).abs().argmax(1)
        assert [pitches.index(int(pitch)) for pitch in loudest] == clip.labels.flatten(1).amax(1).tolist()


def test_a_root_without_clips_is_told_before_training(drawn: Path) -> None:
    with pytest.raises(UserError, match=r"no clips in .*nowhere/train: draw some"):
        module(drawn.parent / "nowhere").check()
