"""Clips with a sound that is not theirs."""

import math

import pytest
import torch

from avs_lightning.data import Clip, collate_clips, log_mel
from avs_lightning.data.probes import mute, probe_dataset
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


def test_muted_clips_have_the_log_mel_of_silence() -> None:
    silence = log_mel(torch.zeros(16_000), 16_000, patches=1)
    for clip in (probe_dataset(clips(3), "muted")[1], probe_dataset(clips(3, waveform=False), "muted")[1]):
        torch.testing.assert_close(clip.log_mel, silence)
        assert clip.waveform is None or not clip.waveform.any()
        assert clip.images.unique() == 2
        assert clip.index == 1


def test_a_muted_batch_is_a_batch_of_muted_clips() -> None:
    batch = mute(collate_clips(clips(2)))
    same = collate_clips([probe_dataset(clips(2), "muted")[i] for i in range(2)])
    torch.testing.assert_close(batch.log_mel, same.log_mel)
    assert batch.log_mel.unique().item() == pytest.approx(math.log(0.01))
    assert batch.waveform is not None
    assert not batch.waveform.any()
    assert batch.images.unique().tolist() == [1, 2]
    assert mute(collate_clips(clips(2, waveform=False))).waveform is None


@pytest.mark.parametrize("count, partners", [(4, [2, 3, 0, 1]), (5, [2, 3, 4, 0, 1]), (2, [1, 0]), (3, [1, 2, 0])])
def test_swapped_clips_have_the_sound_of_one_other_clip_each(count: int, partners: list[int]) -> None:
    swapped = probe_dataset(clips(count), "swapped")
    assert len(swapped) == count
    for index, partner in enumerate(partners):
        clip = swapped[index]
        assert clip.id == str(index)
        assert clip.images.unique() == index + 1
        assert clip.log_mel.unique() == partner + 1
        assert clip.waveform.unique() == partner + 1


def test_an_unknown_probe() -> None:
    with pytest.raises(UserError, match=r"no audio probe 'swaped'; there are muted, swapped; did you mean swapped\?"):
        probe_dataset(clips(1), "swaped")
