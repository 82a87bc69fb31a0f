"""Clips with a sound that is not theirs."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from avs_lightning.data import Clip, MultiSourceDataset, Sound, collate_clips
from avs_lightning.data.probes import NOISE_LEVEL, OffScreen, ProbedDataset, chosen_probes, mute
from avs_lightning.errors import UserError


def clip_of(index: int, sound: Sound, frames: int = 1) -> Clip:
    """A clip whose every pixel is its index + 1."""
    return Clip(
        images=torch.full((frames, 3, 2, 2), index + 1.0),
        sound=sound,
        labels=torch.ones(frames, 2, 2, dtype=torch.uint8),
        labelled=torch.ones(frames, dtype=torch.bool),
        id=str(index),
        category="",
        index=index,
    )


def sound_of(values: torch.Tensor, rate: int, waveform: bool) -> Sound:
    """A sound whose second k holds values[k], in its waveform or in its log-mel."""
    if waveform:
        return Sound.of(values.repeat_interleave(rate), rate)
    return Sound.from_log_mel(values[:, None, None, None].expand(-1, 1, 96, 64))


def content(sound: Sound) -> list[float]:
    """The values that `sound_of` was given."""
    if sound.waveform is not None:
        return sound.waveform.view(-1, sound.rate).unique(dim=1).flatten().tolist()
    assert sound.log_mel is not None
    return sound.log_mel[:, 0, 0, 0].tolist()


def clips(count: int, waveform: bool = True) -> list[Clip]:
    """Clips of one frame whose every number is their own index + 1."""
    return [clip_of(i, sound_of(torch.tensor([i + 1.0]), 16_000, waveform)) for i in range(count)]


def heard(dataset: list[Clip], name: str) -> ProbedDataset:
    return ProbedDataset(dataset, chosen_probes(name)[name])


@pytest.mark.parametrize("waveform", [True, False])
def test_muted_clips_have_the_log_mel_of_silence(waveform: bool) -> None:
    clip = heard(clips(3, waveform), "muted")[1]
    assert clip.sound.patches(1).unique().item() == pytest.approx(math.log(0.01))
    assert clip.sound.waveform is not None
    assert not clip.sound.waveform.any()
    assert clip.images.unique() == 2
    assert clip.index == 1


@pytest.mark.parametrize("waveform", [True, False])
def test_a_muted_batch_is_a_batch_of_muted_clips(waveform: bool) -> None:
    batch = mute(collate_clips(clips(2, waveform)))
    same = collate_clips([heard(clips(2, waveform), "muted")[i] for i in range(2)])
    for muted in (batch, same):
        assert muted.sound.waveform is not None
        assert muted.sound.waveform.shape == (2, 16_000)
        assert not muted.sound.waveform.any()
        assert muted.sound.patches(1).shape == (2, 1, 1, 96, 64)
        assert muted.sound.length.tolist() == [16_000, 16_000]
    assert batch.images.unique().tolist() == [1, 2]


@pytest.mark.parametrize("count, partners", [(4, [2, 3, 0, 1]), (5, [2, 3, 4, 0, 1]), (2, [1, 0]), (3, [1, 2, 0])])
@pytest.mark.parametrize("waveform", [True, False])
def test_swapped_clips_have_the_sound_of_one_other_clip_each(count: int, partners: list[int], waveform: bool) -> None:
    swapped = heard(clips(count, waveform), "swapped")
    assert len(swapped) == count
    for index, partner in enumerate(partners):
        clip = swapped[index]
        assert clip.id == str(index)
        assert clip.images.unique() == index + 1
        assert content(clip.sound) == [partner + 1]


@pytest.mark.parametrize("waveform", [True, False])
def test_noise_is_the_clips_own_and_as_loud_as_sounds_are(waveform: bool) -> None:
    noisy = heard(clips(3, waveform), "noise")
    for clip in (noisy[0], noisy[1]):
        assert clip.sound.waveform is not None
        assert clip.sound.waveform.std().item() == pytest.approx(NOISE_LEVEL, rel=0.05)
        assert clip.sound.waveform.shape == (16_000,)
        assert clip.images.unique() == clip.index + 1
    assert torch.equal(noisy[1].sound.waveform, heard(clips(3), "noise")[1].sound.waveform)
    assert not torch.equal(noisy[0].sound.waveform, noisy[1].sound.waveform)


def one_clip(seconds: int, waveform: bool = True) -> Clip:
    """A clip of `seconds` whose second k holds k, in its log-mel or its waveform."""
    return clip_of(0, sound_of(torch.arange(seconds).float(), 8_000, waveform), seconds)


@pytest.mark.parametrize("seconds, order", [(5, [2, 3, 4, 0, 1]), (2, [1, 0]), (3, [1, 2, 0]), (1, [0])])
@pytest.mark.parametrize("waveform", [True, False])
def test_permuted_clips_hear_another_of_their_own_seconds(seconds: int, order: list[int], waveform: bool) -> None:
    assert content(heard([one_clip(seconds, waveform)], "permuted")[0].sound) == order


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.astype(np.float32), rate, subtype="PCM_16")


@pytest.mark.parametrize("waveform", [True, False])
def test_sounds_from_a_folder_of_any_rate_and_length(tmp_path: Path, waveform: bool) -> None:
    draw = np.random.default_rng(0)
    write(tmp_path / "a.wav", draw.uniform(-0.5, 0.5, 4_000), 8_000)  # half a second: comes again and again
    write(tmp_path / "b.WAV", draw.uniform(-0.5, 0.5, (70_000, 2)), 16_000)
    (tmp_path / "notes.txt").write_text("no sound")
    dataset = [one_clip(3, waveform=waveform) for _ in range(3)]
    off_screen = ProbedDataset(dataset, chosen_probes("offscreen", tmp_path)["offscreen"])
    rate = dataset[0].sound.rate
    first, second, third = (off_screen[index] for index in range(3))
    for clip in (first, second):
        assert clip.sound.waveform.shape == (3 * clip.sound.rate,)
        assert clip.images.shape == (3, 3, 2, 2)
    assert torch.equal(first.sound.waveform[: rate // 2], first.sound.waveform[rate // 2 : rate])
    assert first.sound.waveform.view(3, -1).std(1).min() > 0.2
    assert torch.equal(third.sound.waveform, first.sound.waveform)
    assert not torch.equal(second.sound.waveform, first.sound.waveform)


def test_real_sounds_of_other_rates(shared: Path) -> None:
    folder = shared / "media"
    if not folder.is_dir():
        pytest.skip("there are no real recordings beside the reference's outputs")
    probe = OffScreen(folder)
    assert {soundfile.info(file).samplerate for file in probe.files} > {16_000}
    for index in range(len(probe.files)):
        clip = probe([one_clip(5)] * len(probe.files), index)
        assert 0.01 < clip.sound.waveform.square().mean().sqrt() < 0.5
        assert clip.sound.patches(5).isfinite().all()


def test_probes_of_clips_on_disk(official_ms3: Callable, tmp_path: Path) -> None:
    for audio in ("wav", "log_mel"):
        dataset = MultiSourceDataset(official_ms3(tmp_path / audio, test=2, audio=audio), "test", image_size=32)
        for name, probe in chosen_probes("all").items():
            probed = ProbedDataset(dataset, probe)
            batch = collate_clips([probed[0], probed[1]])
            assert batch.sound.patches(5).shape == (2, 5, 1, 96, 64)
            assert torch.equal(batch.images[1], dataset[1].images)
            assert not torch.equal(batch.sound.patches(5)[1], dataset[1].sound.patches(5)), name


@pytest.mark.parametrize(
    "asked, sounds, names",
    [
        ("all", False, ["muted", "noise", "swapped", "permuted"]),
        ("all", True, ["muted", "noise", "swapped", "permuted", "offscreen"]),
        ("none", True, []),
        (None, False, []),
        ([], False, []),
        (["none"], False, []),
        ("noise", False, ["noise"]),
        (["offscreen", "muted"], True, ["offscreen", "muted"]),
        (["all", "noise"], False, ["muted", "noise", "swapped", "permuted"]),
    ],
)
def test_what_can_be_asked_for(tmp_path: Path, asked: object, sounds: bool, names: list[str]) -> None:
    write(tmp_path / "a.wav", np.zeros(100), 8_000)
    assert list(chosen_probes(asked, tmp_path if sounds else None)) == names  # type: ignore[arg-type]


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"probes=swaped is unknown; did you mean swapped\?"):
        chosen_probes(["muted", "swaped"])
    with pytest.raises(UserError, match=r"'offscreen' needs sounds: probe_sounds=FOLDER"):
        chosen_probes("offscreen")
    with pytest.raises(UserError, match=rf"probe_sounds={tmp_path}/none: there is no such folder"):
        chosen_probes("all", tmp_path / "none")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=rf"probe_sounds={tmp_path}: the folder holds no wav file"):
        chosen_probes("all", tmp_path)
    (tmp_path / "a.wav").write_bytes(b"cut short")
    with pytest.raises(UserError, match=r"a\.wav cannot be read as audio"):
        chosen_probes("all", tmp_path)


def test_a_lone_clip_does_not_hear_itself_for_another() -> None:
    with pytest.raises(UserError, match="'swapped' needs two clips"):
        heard(clips(1), "swapped")[0]
