import numpy as np
import pytest
import torch

from avs_lightning.errors import UserError
from avs_lightning.metrics.binary import thresholds
from avs_lightning.metrics.protocols import count_frames


def logits_and_masks(clips=3, frames=5, height=16, width=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(clips, frames, height, width, generator=generator)
    masks = (torch.rand(clips, frames, height, width, generator=generator) > 0.7).float()
    return logits, masks


def test_counts_equal_a_plain_count():
    logits, masks = logits_and_masks()
    counts = count_frames(logits, masks)
    levels = thresholds().numpy()
    for clip in range(3):
        for frame in range(5):
            values, mask = logits[clip, frame].sigmoid().numpy(), masks[clip, frame].numpy().astype(bool)
            assert counts.pixels[clip, frame] == 16 * 24
            assert counts.foreground[clip, frame] == np.count_nonzero(mask)
            assert counts.predicted[clip, frame] == np.count_nonzero(values > 0.5)
            assert counts.correct[clip, frame] == np.count_nonzero((values > 0.5) & mask)
            for k in (0, 1, 2, 77, 126, 127, 128, 253, 254):
                assert counts.predicted_at[clip, frame, k] == np.count_nonzero(values >= levels[k])
                assert counts.correct_at[clip, frame, k] == np.count_nonzero(values[mask] >= levels[k])


def test_values_on_and_beside_every_threshold(monkeypatch):
    levels = thresholds()
    assert levels[-1] == 1
    values = torch.cat([levels, levels.nextafter(torch.tensor(2.0)), levels.nextafter(torch.tensor(-1.0))]).clamp(0, 1)
    monkeypatch.setattr(torch.Tensor, "sigmoid", lambda given: given)
    counts = count_frames(values.view(1, 1, 1, -1), torch.ones(1, 1, 1, len(values)))
    expected = (values[:, None] >= levels).sum(0)
    assert torch.equal(counts.predicted_at[0, 0].long(), expected)
    assert torch.equal(counts.correct_at[0, 0].long(), expected)


def test_a_logit_of_zero_is_background():
    counts = count_frames(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    assert counts.predicted.item() == 0
    assert counts.predicted_at[0, 0, 127] == 16


def test_infinite_and_half_precision_logits_count():
    logits = torch.tensor([-torch.inf, torch.inf, -200, 200, -0.001, 0.001]).view(1, 1, 2, 3).bfloat16()
    counts = count_frames(logits, torch.ones(1, 1, 2, 3))
    assert counts.predicted.item() == 3
    assert counts.predicted_at[0, 0, [0, 1, 127, 254]].tolist() == [6, 4, 3, 2]


def test_a_frame_counts_the_same_alone_and_in_a_batch():
    logits, masks = logits_and_masks(height=13, width=17)
    together = count_frames(logits, masks)
    for clip in range(3):
        alone = count_frames(logits[clip : clip + 1], masks[clip : clip + 1])
        assert torch.equal(alone.predicted_at[0], together.predicted_at[clip])


def test_a_channel_axis_and_other_layouts_change_nothing():
    logits, masks = logits_and_masks()
    strided = logits.transpose(2, 3).contiguous().transpose(2, 3)
    plain = count_frames(logits, masks)
    for given in (count_frames(logits[:, :, None], masks[:, :, None]), count_frames(strided, masks)):
        assert torch.equal(plain.correct_at, given.correct_at)


def test_nan_has_no_score():
    logits, masks = logits_and_masks()
    logits[1, 3, 0, 0] = torch.nan
    counts = count_frames(logits, masks)
    with pytest.raises(UserError, match=r"NaN \(clip 1 of those scored, frame 3\)"):
        counts.checked()


@pytest.mark.parametrize(
    ("logits", "masks", "labelled", "words"),
    [
        ((2, 5, 8, 8), (2, 5, 8, 4), None, r"\[2, 5, 8, 8\], labels \[2, 5, 8, 4\]"),
        ((10, 8, 8), (10, 8, 8), None, r"\[clips, T, H, W\]"),
        ((2, 5, 71, 8, 8), (2, 5, 71, 8, 8), None, r"\[clips, T, 1, H, W\]"),
        ((2, 5, 8, 8), (2, 5, 8, 8), (2, 4), r"labelled \[2, 4\] must be \[clips, T\] = \[2, 5\]"),
    ],
)
def test_shapes_that_do_not_fit(logits, masks, labelled, words):
    with pytest.raises(UserError, match=words):
        count_frames(torch.zeros(logits), torch.zeros(masks), None if labelled is None else torch.ones(labelled))
