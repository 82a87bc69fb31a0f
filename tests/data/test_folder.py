"""Clips of one's own, as `data=folder` reads them: what is right, and the sentence for each thing that is not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avs_lightning.data import FolderDataModule, FolderDataset
from avs_lightning.data.fingerprint import dataset_fingerprint
from avs_lightning.errors import UserError

Write = Callable[..., Path]
SIZE = 32


def module(root: Path, **options: object) -> FolderDataModule:
    return FolderDataModule(root, image_size=SIZE, batch_size=2, workers=0, **options)


@pytest.fixture
def root(tmp_path: Path, own_folder: Write) -> Path:
    return own_folder(tmp_path / "own")


def test_a_clip_has_as_many_frames_as_pictures_and_as_much_sound(root: Path) -> None:
    dataset = FolderDataset(root, "train", SIZE)
    long, short = dataset[0], dataset[1]
    assert (len(dataset), dataset.available, long.id, long.category) == (4, 4, "train 0", "dog")
    assert long.images.shape == (3, 3, SIZE, SIZE)
    assert long.labels.shape == (3, SIZE, SIZE)
    assert long.labelled.tolist() == [True, False, True]
    assert short.labelled.tolist() == [True, False]
    assert [clip.sound.waveform.shape for clip in (long, short)] == [(48_000,), (32_000,)]  # type: ignore[union-attr]


def test_frames_are_in_the_order_of_their_numbers(root: Path) -> None:
    for number, grey in ((9, 0), (10, 128), (11, 255)):
        Image.new("RGB", (40, 30), (grey,) * 3).save(root / "train 0" / "frames" / f"frame_{number}.jpg")
    assert FolderDataset(root, "train", SIZE)[0].images[:, 0, 0, 0].diff().gt(1).all()


def test_batches_have_the_frames_of_the_longest_clip(root: Path) -> None:
    data = module(root)
    data.check()
    assert (data.frames, data.classes, data.synthetic) == (3, ("background", "sounding"), False)
    (batch,) = data.val_dataloader()
    assert batch.images.shape == (2, 3, 3, SIZE, SIZE)
    assert batch.lengths == [3, 2]
    assert not (batch.labelled & ~batch.valid).any()
    assert batch.labels[0].flatten(1).any(1).tolist() == [True, False, True]


def test_without_names_of_classes_every_value_but_0_sounds(tmp_path: Path, own_folder: Write) -> None:
    root = own_folder(tmp_path, classes=4)
    assert FolderDataset(root, "train", SIZE)[1].labels.unique().tolist() == [0, 2]
    assert FolderDataset(root, "train", SIZE)[0].labels.unique().tolist() == [0, 1, 3]
    assert module(root).classes == ("background", "dog", "door bell", "violin")
    (root / "classes.txt").unlink()
    assert FolderDataset(root, "train", SIZE)[1].labels.unique().tolist() == [0, 1]
    assert module(root).classes == ("background", "sounding")


def test_what_the_classes_are_called_is_part_of_the_data(tmp_path: Path, own_folder: Write) -> None:
    root = own_folder(tmp_path / "own", classes=4)
    shutil.copytree(root, tmp_path / "copy")
    found = dataset_fingerprint(module(root))
    assert dataset_fingerprint(module(tmp_path / "copy")) == found
    (root / "classes.txt").write_text("background\ndog\ncat\nviolin\n")
    assert dataset_fingerprint(module(root)) != found


def test_frames_beside_the_sound_and_masks_by_number(root: Path) -> None:
    clip = root / "train 0"
    for frame in sorted((clip / "frames").iterdir()):
        frame.rename(clip / frame.name)
    (clip / "frames").rmdir()
    (clip / "masks" / "frame_9.png").rename(clip / "masks" / "mask-0009.png")
    (clip / ".DS_Store").touch()
    (clip / "._frame_9.jpg").touch()
    assert FolderDataset(root, "train", SIZE)[0].labelled.tolist() == [True, False, True]


def _grey(path: Path, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("L", size).save(path)


def _rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _silence(path: Path) -> None:
    soundfile.write(path, np.zeros(100), 16_000)


WRONG: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no root": (shutil.rmtree, ["no folder", "data.root", "clips.csv"]),
    "no CSV": (lambda root: (root / "clips.csv").rename(root / "clip.csv"), ["clips.csv is missing", "mean clip.csv"]),
    "column": (lambda root: _rewrite(root / "clips.csv", "split", "part"), ["lacks the column split", "clip,part"]),
    "split": (lambda root: _rewrite(root / "clips.csv", ",val", ",vall"), ["line 6: split=vall", "did you mean val"]),
    "no split": (
        lambda root: (root / "clips.csv").write_text("clip,split\ntrain 0,train\n"),
        ["no clip of the split 'val'"],
    ),
    "folder": (
        lambda root: (root / "train 1").rename(root / "trains 1"),
        ["clips.csv names the clip 'train 1'", "did you mean trains 1"],
    ),
    "frames": (lambda root: shutil.rmtree(root / "train 1" / "frames"), ["train 1 holds no frames"]),
    "two of a frame": (
        lambda root: _grey(root / "train 1" / "frames" / "frame_9.png"),
        ["both frame_9.jpg and frame_9.png"],
    ),
    "masks": (lambda root: shutil.rmtree(root / "train 1" / "masks"), ["'train 1' has no mask", "clips.csv"]),
    "mask too many": (
        lambda root: _grey(root / "train 1" / "masks" / "frame_12.png"),
        ["frame_12.png belongs to no frame", "2 masks, 2 frames", "frame_9.jpg"],
    ),
    "mask of two frames": (
        lambda root: _grey(root / "train 1" / "masks" / "9.png"),
        ["9.png", "both the mask of frame_9.jpg"],
    ),
    "sound": (lambda root: (root / "train 1" / "audio.wav").unlink(), ["train 1 holds no sound", "ffmpeg"]),
    "sounds": (
        lambda root: [(root / "train 0" / "sound.flac").rename(root / "train 0" / "a.flac"),
                      _silence(root / "train 0" / "b.wav")],
        ["several sounds (a.flac, b.wav)", "audio.wav"],
    ),
    "background": (lambda root: (root / "classes.txt").write_text("dog\ncat\n"), ["classes.txt", "line background"]),
    "one class": (lambda root: (root / "classes.txt").write_text("background\n"), ["classes.txt names 1 classes"]),
    "class twice": (
        lambda root: (root / "classes.txt").write_text("background\ndog\ndog\n"),
        ["classes.txt, line 3: 'dog' is there already"],
    ),
    "class without a name": (
        lambda root: (root / "classes.txt").write_text("background\n\ndog\n"),
        ["classes.txt, line 2: there is no name"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_before_anything_is_trained(root: Path, wrong: str) -> None:
    damage, words = WRONG[wrong]
    damage(root)
    with pytest.raises(UserError) as error:
        module(root).check()
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)


READ: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "size of a mask": (
        lambda root: _grey(root / "train 1" / "masks" / "frame_9.png", (32, 32)),
        ["frame_9.png is 32x32 pixels, expected 40x30", "as its frame"],
    ),
    "value": (
        lambda root: (
            (root / "classes.txt").write_text("background\ndog\ncat\n")
            and Image.new("L", (40, 30), 7).save(root / "train 1" / "masks" / "frame_9.png")
        ),
        ["frame_9.png has the value 7", "3 classes", "classes.txt"],
    ),
    "no picture": (
        lambda root: (root / "train 1" / "frames" / "frame_9.jpg").write_bytes(b""),
        ["frame_9.jpg cannot be read as a picture"],
    ),
    "no sound": (lambda root: (root / "train 1" / "audio.wav").write_bytes(b""), ["audio.wav cannot be read as audio"]),
}


@pytest.mark.parametrize("wrong", READ)
def test_what_is_wrong_within_a_file_is_told_when_it_is_read(root: Path, wrong: str) -> None:
    damage, words = READ[wrong]
    damage(root)
    data = module(root)
    data.check()
    with pytest.raises(UserError) as error:
        data.dataset("train")[1]
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_the_first_clips_alone(root: Path) -> None:
    data = module(root, limit=1)
    assert data.clip_counts() == {"train": 1, "val": 1, "test": 1}
    assert torch.equal(next(iter(data.val_dataloader())).indices, torch.tensor([0]))
