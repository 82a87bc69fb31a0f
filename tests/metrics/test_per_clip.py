"""Each clip by itself scores what a data set of that clip alone scores."""

import pytest
import torch

from avs_lightning.metrics import SegmentationScores, f_score, mean_iou


def clips() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(7, 5, 1, 15, 15, generator=generator)
    masks = (logits + 2 * torch.randn(logits.shape, generator=generator) > 0.5).float()
    masks[1, 2] = 0  # a frame without a sound
    masks[2] = 0  # a clip without one
    masks[3, :2] = 1  # frames without background
    masks[4] = 1
    labelled = torch.rand(7, 5, generator=generator) > 0.3
    labelled[5] = False
    return logits, masks, labelled


def test_clips_score_as_if_alone() -> None:
    logits, masks, labelled = clips()
    scores = SegmentationScores()
    scores.update(logits, masks, labelled, torch.arange(7).flip(0))
    table = scores.per_clip()
    assert table.indices.tolist() == list(range(7))
    for row, clip in enumerate(reversed(range(7))):
        one = logits[clip, None], masks[clip, None]
        values = table.miou[row], table.fscore[row], table.false_positive_rate[row]
        if clip == 5:
            assert all(value.isnan() for value in values)
            continue
        alone = SegmentationScores()
        alone.update(*one, labelled[clip, None])
        expected = (
            mean_iou(*one, "frame", labelled=labelled[clip, None]),
            f_score(*one, "frame", labelled=labelled[clip, None]),
            alone.compute()["false_positive_rate"],
        )
        assert [value.item() for value in values] == pytest.approx([value.item() for value in expected], abs=1e-6)
    assert table.fscore[4] == 0  # nothing to find
    assert table.false_positive_rate[2] == 0  # nothing to be wrong about


def test_seconds_are_each_frames_own() -> None:
    logits, masks, labelled = clips()
    scores = SegmentationScores()
    scores.update(logits, masks, labelled)
    seconds = scores.per_clip().seconds
    assert torch.equal(seconds.isnan(), ~labelled)
    clip, second = labelled.nonzero()[0].tolist()
    frame = logits[clip, None, second, None], masks[clip, None, second, None]
    assert seconds[clip, second].item() == pytest.approx(mean_iou(*frame, "frame").item())
    torch.testing.assert_close(seconds.nanmean(1), scores.per_clip().miou, equal_nan=True)


def test_what_a_clip_scores_where_it_sounds() -> None:
    logits, masks, labelled = clips()
    scores = SegmentationScores()
    scores.update(logits, masks, labelled)
    table = scores.per_clip()
    sounds = labelled & masks.bool().flatten(2).any(2)
    assert torch.equal(table.sounding, sounds)
    assert table.miou_sounding[2].isnan()  # nothing sounds
    expected = torch.where(sounds, table.seconds, torch.nan).nanmean(1)
    torch.testing.assert_close(table.miou_sounding, expected, equal_nan=True)
