"""Clips into batches."""

import pytest
import torch

from avs_lightning.data import Clip, Sound, collate_clips


def clip(frames: int, waveform: bool = True) -> Clip:
    ones = torch.ones(frames, 2, 2, dtype=torch.uint8)
    patches = torch.ones(frames, 1, 96, 64)
    sound = Sound.of(torch.ones(frames * 8_000), 8_000) if waveform else Sound.from_log_mel(patches)
    return Clip(torch.ones(frames, 3, 2, 2), sound, ones, torch.ones(frames, dtype=torch.bool), "", "", 0)


@pytest.mark.parametrize("frames, length", [(None, 4), (4, 4), (6, 6)])
def test_a_shorter_clip_is_filled_up_with_frames_that_are_black_silent_and_not_labelled(
    frames: int | None, length: int
) -> None:
    batch = collate_clips([clip(2), clip(4)], frames)
    assert batch.lengths == [2, 4]
    assert batch.valid.tolist() == [[t < n for t in range(length)] for n in (2, 4)]
    for filled in (batch.images, batch.labels, batch.labelled):
        assert filled.shape[:2] == (2, length)
        assert torch.equal(filled.flatten(2).any(2) if filled.ndim > 2 else filled, batch.valid)
    assert batch.sound.length.tolist() == [16_000, 32_000]
    assert batch.sound.waveform is not None
    assert batch.sound.waveform.sum(1).tolist() == [16_000, 32_000]


@pytest.mark.parametrize("waveform", [True, False])
def test_where_a_clip_has_its_log_mel_alone_all_are_filled_up_in_theirs(waveform: bool) -> None:
    batch = collate_clips([clip(2, waveform=False), clip(3, waveform)], 4)
    assert batch.sound.patches(4).shape == (2, 4, 1, 96, 64)
    assert not batch.sound.patches(4)[0, 2:].any()


def test_more_frames_than_the_longest_clip_should_have_are_refused() -> None:
    with pytest.raises(ValueError, match="4 frames"):
        collate_clips([clip(2), clip(4)], 3)


def test_a_moved_batch_keeps_its_lengths() -> None:
    batch = collate_clips([clip(2), clip(4)]).to(torch.float64)
    assert batch.lengths == [2, 4]
    assert batch.valid.sum() == 6
