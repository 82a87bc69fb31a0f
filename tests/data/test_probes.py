"""Clips with a sound that is not theirs."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from avs_lightning.data import Clip, collate_clips, log_mel
from avs_lightning.data.datasets import MultiSourceDataset
from avs_lightning.data.probes import NOISE_LEVEL, OffScreen, ProbedDataset, chosen_probes, mute
from avs_lightning.errors import UserError


def clips(count: int, waveform: bool = True) -> list[Clip]:
    """Clips of one frame whose every number is their own index + 1."""
    return [
        Clip(
            images=torch.full((1, 3, 2, 2), i + 1.0),
            log_mel=torch.full((1, 1, 96, 64), i + 1.0),
            masks=torch.ones(1, 1, 2, 2),
            labelled=torch.ones(1, dtype=torch.bool),
            valid=torch.ones(1, dtype=torch.bool),
            waveform=torch.full((16_000,), i + 1.0) if waveform else None,
            rate=16_000,
            id=str(i),
            category="",
            index=i,
        )
        for i in range(count)
    ]


def heard(dataset: list[Clip], name: str) -> ProbedDataset:
    return ProbedDataset(dataset, chosen_probes(name)[name])


def test_muted_clips_have_the_log_mel_of_silence() -> None:
    silence = log_mel(torch.zeros(16_000), 16_000, patches=1)
    for clip in (heard(clips(3), "muted")[1], heard(clips(3, waveform=False), "muted")[1]):
        torch.testing.assert_close(clip.log_mel, silence)
        assert clip.waveform is None or not clip.waveform.any()
        assert clip.images.unique() == 2
        assert clip.index == 1


def test_a_muted_batch_is_a_batch_of_muted_clips() -> None:
    batch = mute(collate_clips(clips(2)))
    same = collate_clips([heard(clips(2), "muted")[i] for i in range(2)])
    torch.testing.assert_close(batch.log_mel, same.log_mel)
    assert batch.log_mel.unique().item() == pytest.approx(math.log(0.01))
    assert batch.waveform is not None
    assert not batch.waveform.any()
    assert batch.images.unique().tolist() == [1, 2]
    assert mute(collate_clips(clips(2, waveform=False))).waveform is None


@pytest.mark.parametrize("count, partners", [(4, [2, 3, 0, 1]), (5, [2, 3, 4, 0, 1]), (2, [1, 0]), (3, [1, 2, 0])])
def test_swapped_clips_have_the_sound_of_one_other_clip_each(count: int, partners: list[int]) -> None:
    swapped = heard(clips(count), "swapped")
    assert len(swapped) == count
    for index, partner in enumerate(partners):
        clip = swapped[index]
        assert clip.id == str(index)
        assert clip.images.unique() == index + 1
        assert clip.log_mel.unique() == partner + 1
        assert clip.waveform.unique() == partner + 1


@pytest.mark.parametrize("waveform", [True, False])
def test_noise_is_the_clips_own_and_as_loud_as_sounds_are(waveform: bool) -> None:
    noisy = heard(clips(3, waveform), "noise")
    for clip in (noisy[0], noisy[1]):
        assert clip.waveform is not None
        assert clip.waveform.std().item() == pytest.approx(NOISE_LEVEL, rel=0.05)
        assert clip.waveform.shape == (16_000,)
        assert torch.equal(clip.log_mel, log_mel(clip.waveform, 16_000, 1))
        assert clip.images.unique() == clip.index + 1
    assert torch.equal(noisy[1].waveform, heard(clips(3), "noise")[1].waveform)
    assert not torch.equal(noisy[0].waveform, noisy[1].waveform)


def one_clip(seconds: int, valid: int | None = None, waveform: bool = True) -> Clip:
    """A clip of `seconds` whose second k holds k, in its log-mel and its waveform."""
    number = torch.arange(seconds).float()
    return Clip(
        images=torch.zeros(seconds, 3, 2, 2),
        log_mel=number[:, None, None, None].expand(-1, 1, 96, 64),
        masks=torch.zeros(seconds, 1, 2, 2),
        labelled=torch.ones(seconds, dtype=torch.bool),
        valid=torch.arange(seconds) < (seconds if valid is None else valid),
        waveform=number.repeat_interleave(8_000) if waveform else None,
        rate=8_000,
        id="",
        category="",
        index=0,
    )


@pytest.mark.parametrize(
    "seconds, valid, order",
    [(5, None, [2, 3, 4, 0, 1]), (2, None, [1, 0]), (3, None, [1, 2, 0]), (4, 3, [1, 2, 0, 3]), (1, None, [0])],
)
def test_permuted_clips_hear_another_of_their_own_seconds(seconds: int, valid: int | None, order: list[int]) -> None:
    clip = heard([one_clip(seconds, valid)], "permuted")[0]
    assert clip.log_mel[:, 0, 0, 0].tolist() == order
    assert clip.waveform.view(seconds, -1).unique(dim=1).flatten().tolist() == order
    silent = heard([one_clip(seconds, valid, waveform=False)], "permuted")[0]
    assert silent.waveform is None
    assert torch.equal(silent.log_mel, clip.log_mel)


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
    first, second, third = (off_screen[index] for index in range(3))
    for clip in (first, second):
        assert clip.waveform.shape == (24_000,)
        assert torch.equal(clip.log_mel, log_mel(clip.waveform, 8_000, 3))
        assert clip.images.shape == (3, 3, 2, 2)
    assert torch.equal(first.waveform[:4_000], first.waveform[4_000:8_000])
    assert first.waveform.view(3, -1).std(1).min() > 0.2
    assert torch.equal(third.waveform, first.waveform)
    assert not torch.equal(second.waveform, first.waveform)


def test_real_sounds_of_other_rates(shared: Path) -> None:
    folder = shared / "media"
    if not folder.is_dir():
        pytest.skip("there are no real recordings beside the reference's outputs")
    probe = OffScreen(folder)
    assert {soundfile.info(file).samplerate for file in probe.files} > {16_000}
    for index in range(len(probe.files)):
        clip = probe([one_clip(5)] * len(probe.files), index)
        assert 0.01 < clip.waveform.square().mean().sqrt() < 0.5
        assert clip.log_mel.isfinite().all()


def test_probes_of_clips_on_disk(official_ms3: Callable, tmp_path: Path) -> None:
    for audio in ("wav", "log_mel"):
        dataset = MultiSourceDataset(official_ms3(tmp_path / audio, test=2, audio=audio), "test", image_size=32)
        for name, probe in chosen_probes("all").items():
            probed = ProbedDataset(dataset, probe)
            batch = collate_clips([probed[0], probed[1]])
            assert batch.log_mel.shape == (2, 5, 1, 96, 64)
            assert torch.equal(batch.images[1], dataset[1].images)
            assert not torch.equal(batch.log_mel[1], dataset[1].log_mel), name


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
    with pytest.raises(UserError, match=r"no audio probe 'swaped'; there are muted, .*; did you mean swapped\?"):
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
