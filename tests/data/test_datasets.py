import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avs_lightning.data import (
    Clip,
    MultiSourceDataset,
    SingleSourceDataset,
    collate_clips,
    load_log_mel_pickle,
    log_mel,
)
from avs_lightning.data.splits import source
from avs_lightning.errors import UserError

Write = Callable[..., Path]
SIZE = 32


def only(root: Path, pattern: str) -> Path:
    (path,) = sorted(root.rglob(pattern))[:1]
    return path


def test_single_source_train_clip(tmp_path: Path, official_s4: Write) -> None:
    dataset = SingleSourceDataset(official_s4(tmp_path), "train", image_size=SIZE)
    clip = dataset[1]
    assert len(dataset) == 2
    assert isinstance(clip, Clip)
    assert (clip.id, clip.category, clip.index, clip.sound.rate) == ("train000001_1", "race_car", 1, 16_000)
    assert clip.images.shape == (5, 3, SIZE, SIZE)
    assert clip.labels.shape == (5, SIZE, SIZE)
    assert clip.sound.patches(5).shape == (5, 1, 96, 64)
    assert clip.labelled.tolist() == [True, False, False, False, False]
    assert clip.labels.sum((1, 2)).tolist() == [32, 0, 0, 0, 0]
    assert clip.sound.waveform is not None
    assert clip.sound.waveform.shape == (80_000,)
    torch.testing.assert_close(clip.sound.patches(5), log_mel(clip.sound.waveform, 16_000))


@pytest.mark.parametrize("split", ["val", "test"])
def test_single_source_is_labelled_throughout_in_val_and_test(tmp_path: Path, official_s4: Write, split: str) -> None:
    clip = SingleSourceDataset(official_s4(tmp_path), split, image_size=SIZE)[0]
    assert clip.labelled.all()
    assert clip.labels.sum((1, 2)).tolist() == [32, 64, 96, 128, 160]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_multi_source_clip(tmp_path: Path, official_ms3: Write, split: str) -> None:
    clip = MultiSourceDataset(official_ms3(tmp_path), split, image_size=SIZE)[0]
    assert clip.id.startswith(split)
    assert clip.category == ""
    assert clip.labelled.all()
    assert clip.labels.sum((1, 2)).tolist() == [32, 64, 96, 128, 160]


def test_frames_are_in_the_order_of_the_seconds(tmp_path: Path, official_ms3: Write) -> None:
    root = official_ms3(tmp_path)
    for second in range(5):
        frame = only(root, f"visual_frames/val*/*.mp4_{second + 1}.png")
        Image.new("RGB", (SIZE, SIZE), (50 * second,) * 3).save(frame)
    images = MultiSourceDataset(root, "val", image_size=SIZE)[0].images
    assert images[:, 0, 0, 0].diff().gt(0.5).all()


def test_root_may_be_the_settings_own_folder(tmp_path: Path, official_s4: Write, official_ms3: Write) -> None:
    assert len(SingleSourceDataset(official_s4(tmp_path) / "Single-source", "val", SIZE)) == 1
    assert len(MultiSourceDataset(official_ms3(tmp_path) / "Multi-sources", "val", SIZE)) == 1


def test_clips_batch_into_the_shapes_of_the_batch(tmp_path: Path, official_s4: Write) -> None:
    dataset = SingleSourceDataset(official_s4(tmp_path), "train", image_size=SIZE)
    batch = collate_clips([dataset[1], dataset[0]])
    assert batch.images.shape == (2, 5, 3, SIZE, SIZE)
    assert batch.labels.shape == (2, 5, SIZE, SIZE)
    assert batch.indices.tolist() == [1, 0]
    assert batch.categories == ["race_car", "cat_meowing"]


def test_audio_from_wav_from_pickle_or_from_what_is_there(tmp_path: Path, official_s4: Write) -> None:
    root = official_s4(tmp_path, audio="both")
    official = load_log_mel_pickle(only(root, "audio_log_mel/val/*/*.pkl"))

    def clip(audio: str) -> Clip:
        return SingleSourceDataset(root, "val", SIZE, audio)[0]

    torch.testing.assert_close(clip("log_mel").sound.log_mel, official)
    assert clip("log_mel").sound.waveform is None
    assert clip("wav").sound.waveform is not None
    torch.testing.assert_close(clip("auto").sound.waveform, clip("wav").sound.waveform)
    only(root, "audio_wav/val/*/*.wav").unlink()
    torch.testing.assert_close(clip("auto").sound.log_mel, official)
    with pytest.raises(UserError, match=r"sound file missing: .*val000000_0\.wav; data\.audio=log_mel reads"):
        clip("wav")
    only(root, "audio_log_mel/val/*/*.pkl").unlink()
    with pytest.raises(UserError, match=r"sound file missing: .*\.wav \(nor is there .*\.pkl\)"):
        clip("auto")
    with pytest.raises(UserError, match="log-mel pickle missing"):
        clip("log_mel")


def test_short_pickle_repeats_its_last_patch(tmp_path: Path, official_s4: Write) -> None:
    root = official_s4(tmp_path, audio="log_mel")
    path = only(root, "audio_log_mel/val/*/*.pkl")
    patches = load_log_mel_pickle(path)
    path.write_bytes(pickle.dumps(patches[:4].clone()))
    found = SingleSourceDataset(root, "val", SIZE)[0].sound.log_mel
    torch.testing.assert_close(found, torch.cat([patches[:4], patches[3:4]]))


@pytest.mark.parametrize(
    "tensor, message",
    [
        (torch.zeros(5, 96, 64), r"holds a tensor \[5, 96, 64\], expected \[5, 1, 96, 64\]"),
        (torch.full((5, 1, 96, 64), torch.nan), "NaN or infinite"),
    ],
)
def test_pickle_with_another_tensor(tmp_path: Path, official_s4: Write, tensor: torch.Tensor, message: str) -> None:
    root = official_s4(tmp_path, audio="log_mel")
    path = only(root, "audio_log_mel/val/*/*.pkl")
    path.write_bytes(pickle.dumps(tensor))
    with pytest.raises(UserError, match=message) as error:
        SingleSourceDataset(root, "val", SIZE)[0]
    assert str(path) in str(error.value)


def test_sounds_of_any_length_rate_and_channels_are_read(tmp_path: Path, official_s4: Write) -> None:
    root = official_s4(tmp_path)
    soundfile.write(only(root, "audio_wav/val/*/*.wav"), np.full((30_000, 2), 0.1), 44_100)
    clip = SingleSourceDataset(root, "val", SIZE)[0]
    assert clip.sound.waveform is not None
    assert clip.sound.waveform.shape == (80_000,)
    assert clip.sound.patches(5).isfinite().all()


def test_a_wav_without_its_last_patch_repeats_the_one_before(tmp_path: Path, official_s4: Write) -> None:
    root = official_s4(tmp_path)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 72_000)  # 4.5 s; the fifth patch needs 4.815 s
    soundfile.write(only(root, "audio_wav/val/*/*.wav"), noise, 16_000, subtype="FLOAT")
    clip = SingleSourceDataset(root, "val", SIZE)[0]
    patches = clip.sound.patches(5)
    assert torch.equal(patches[4], patches[3])
    torch.testing.assert_close(patches[:4], log_mel(torch.from_numpy(noise).float(), 16_000, 4))
    assert clip.sound.waveform is not None
    assert clip.sound.waveform.shape == (80_000,)
    assert not clip.sound.waveform[72_000:].any()


def test_partition_by_source_reads_each_file_where_the_official_split_put_it(
    tmp_path: Path, official_ms3: Write
) -> None:
    root = official_ms3(tmp_path, train=16, val=8, test=8, size=8)
    splits = {
        split: MultiSourceDataset(root, split, 8, partition="by_source", partition_seed=1)
        for split in ("train", "val", "test")
    }
    sources = {split: {source(clip.id) for clip in dataset.clips} for split, dataset in splits.items()}
    assert sum(map(len, splits.values())) == 32
    assert not sources["train"] & sources["val"] | sources["train"] & sources["test"] | sources["val"] & sources["test"]
    moved = [(d, i) for s, d in splits.items() for i, clip in enumerate(d.clips) if clip.split != s]
    assert moved
    for dataset, index in moved:
        assert dataset[index].labels.any()


def test_limit_takes_the_first_clips(tmp_path: Path, official_s4: Write) -> None:
    dataset = SingleSourceDataset(official_s4(tmp_path, train=4, size=8), "train", 8, limit=3)
    assert [clip.id for clip in dataset.clips] == ["train000000_0", "train000001_1", "train000002_2"]


def test_missing_root_names_the_folder_looked_for_and_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist.*data\.root.*Single-source/.*`avs data make`") as error:
        SingleSourceDataset(tmp_path / "nowhere", "train")
    assert str(tmp_path / "nowhere" / "Single-source") in str(error.value)
    with pytest.raises(UserError, match=r"looked for the folder .*Multi-sources"):
        MultiSourceDataset(tmp_path, "train")


def test_unknown_options_list_near_matches(tmp_path: Path, official_ms3: Write) -> None:
    root = official_ms3(tmp_path, size=8)
    with pytest.raises(UserError, match=r"split=tran is unknown; did you mean train\?"):
        MultiSourceDataset(root, "tran", 8)
    with pytest.raises(UserError, match=r"data\.audio=logmel is unknown; did you mean log_mel\?"):
        MultiSourceDataset(root, "train", 8, audio="logmel")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"data\.partition=by_sources is unknown; did you mean by_source\?"):
        MultiSourceDataset(root, "train", 8, partition="by_sources")  # type: ignore[arg-type]


def test_split_without_clips(tmp_path: Path, official_s4: Write) -> None:
    with pytest.raises(UserError, match="lists no clip of the split 'val'"):
        SingleSourceDataset(official_s4(tmp_path, val=0, size=8), "val", 8)


@pytest.mark.parametrize("kind", ["visual_frames", "gt_masks"])
def test_missing_and_mis_sized_pictures_are_named(tmp_path: Path, official_ms3: Write, kind: str) -> None:
    root = official_ms3(tmp_path)
    path = sorted(root.rglob(f"{kind}/**/val*_3.png"))[0]
    shutil.copy(path, tmp_path / "kept.png")
    path.unlink()
    with pytest.raises(UserError, match="missing") as error:
        MultiSourceDataset(root, "val", SIZE)[0]
    assert str(path) in str(error.value)
    Image.open(tmp_path / "kept.png").resize((SIZE, 40)).save(path)
    with pytest.raises(UserError, match=r"is 32x40 pixels, expected 32x32"):
        MultiSourceDataset(root, "val", SIZE)[0]
