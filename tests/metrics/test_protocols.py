import importlib.util
import json

import numpy as np
import pytest
import torch

from avs_lightning.benchmarks.threshold_loop import looped_f_score
from avs_lightning.errors import UserError
from avs_lightning.metrics import PROTOCOLS, f_score, mean_iou
from avs_lightning.metrics.protocols import count_frames


@pytest.fixture
def scored():
    """Seven clips of five frames: noisy discs, every fourth frame without ground truth."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
    centre, radius = 4 + 12 * torch.rand(2, 7, 5, 1, 1, generator=generator), torch.linspace(2, 7, 35).view(7, 5, 1, 1)
    distance = torch.hypot(y - centre[0], x - centre[1])
    logits = 0.4 * (radius - distance) + torch.randn(7, 5, 20, 20, generator=generator)
    masks = (distance < radius).float()
    masks.view(35, 20, 20)[::4] = 0
    labelled = torch.rand(7, 5, generator=generator) > 0.3
    return logits, masks, labelled


def numpy_iou(logits, mask):
    predicted, mask = 1 / (1 + np.exp(-logits.astype(np.float64))) > 0.5, mask.astype(bool)
    if not mask.any():
        return 1 - predicted.mean()
    return (predicted & mask).sum() / (predicted | mask).sum()


def looped_dataset_f_score(logits, masks):
    probabilities, masks = logits.sigmoid().numpy(), masks.numpy().astype(bool)
    best = 0.0
    for threshold in np.linspace(0, 1, 255, dtype=np.float32):
        predicted = probabilities >= threshold
        correct = (predicted & masks).sum()
        best = max(best, 1.3 * correct / (predicted.sum() + 0.3 * masks.sum()))
    return best


def test_released_scripts_are_reproduced(shared):
    spec = importlib.util.spec_from_file_location("fill", shared / "parity" / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    for case in json.loads((shared / "parity" / "metrics.json").read_text()):
        logits, masks = (
            torch.from_numpy(x).unflatten(0, (case["clips"], -1))
            for x in fill.mask_predictions(case["seed"], case["clips"])
        )
        for batch_clips, expected in case["by_batch"].items():
            assert float(mean_iou(logits, masks, batch_clips=int(batch_clips))) == pytest.approx(
                expected["miou"], abs=2e-7
            )
            assert float(f_score(logits, masks, batch_clips=int(batch_clips))) == pytest.approx(
                expected["fscore"], abs=2e-7
            )


@pytest.mark.parametrize("batch_clips", [1, 2, 3, 4, 7, 100])
def test_reference_weighs_batches_alike(scored, batch_clips):
    logits, masks, _ = scored
    ious, scores = [], []
    for start in range(0, 7, batch_clips):
        stop = min(start + batch_clips, 7)
        ious.append(
            np.mean([numpy_iou(*f) for c in range(start, stop) for f in zip(logits[c].numpy(), masks[c].numpy())])
        )
        scores.append(float(looped_f_score(logits[start:stop], masks[start:stop])))
    assert float(mean_iou(logits, masks, "reference", batch_clips)) == pytest.approx(np.mean(ious), abs=1e-6)
    assert float(f_score(logits, masks, "reference", batch_clips)) == pytest.approx(np.mean(scores), abs=1e-6)


def test_frame_is_the_mean_over_labelled_frames(scored):
    logits, masks, labelled = scored
    kept = [(logits[c, t], masks[c, t]) for c in range(7) for t in range(5) if labelled[c, t]]
    expected = np.mean([numpy_iou(lo.numpy(), m.numpy()) for lo, m in kept])
    assert float(mean_iou(logits, masks, "frame", labelled=labelled)) == pytest.approx(expected, abs=1e-6)
    curve = looped_f_score(*(torch.stack(x)[:, None] for x in zip(*kept)))
    assert float(f_score(logits, masks, "frame", labelled=labelled)) == pytest.approx(float(curve), abs=1e-6)


def test_dataset_pools_all_labelled_pixels(scored):
    logits, masks, labelled = scored
    predicted, truth = logits[labelled] > 0, masks[labelled] > 0
    expected = (predicted & truth).sum() / (predicted | truth).sum()
    assert float(mean_iou(logits, masks, "dataset", labelled=labelled)) == pytest.approx(float(expected), abs=1e-6)
    expected = looped_dataset_f_score(logits[labelled], masks[labelled])
    assert float(f_score(logits, masks, "dataset", labelled=labelled)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unlabelled_frames_never_count(scored, protocol):
    logits, masks, labelled = scored
    other = torch.where(labelled[..., None, None], logits, -logits)
    for score in (mean_iou, f_score):
        assert score(logits, masks, protocol, labelled=labelled) == score(other, masks, protocol, labelled=labelled)
        assert score(logits, masks, protocol) != score(other, masks, protocol)


def test_a_batch_without_labels_is_left_out_and_a_silent_one_scores_no_f(scored):
    logits, masks, _ = scored
    labelled = torch.ones(7, 5, dtype=torch.bool)
    labelled[4:] = False
    assert mean_iou(logits, masks, labelled=labelled) == mean_iou(logits[:4], masks[:4])
    assert f_score(logits, masks, labelled=labelled) == f_score(logits[:4], masks[:4])
    masks[4:] = 0
    assert float(f_score(logits, masks)) == pytest.approx(float(f_score(logits[:4], masks[:4])) / 2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_perfect_and_the_silent(protocol):
    masks = torch.zeros(2, 5, 8, 8)
    assert float(f_score(20 * masks - 10, masks, protocol)) == 0
    masks[..., :3] = 1
    assert float(mean_iou(20 * masks - 10, masks, protocol)) == pytest.approx(1)
    assert float(f_score(20 * masks - 10, masks, protocol)) == pytest.approx(1)


def test_false_positive_rate(scored):
    logits, masks, labelled = scored
    masks[0, 0] = 1
    expected = [
        (logits[c, t] > 0)[masks[c, t] == 0].float().mean().item()
        for c, t in labelled.nonzero().tolist()
        if (masks[c, t] == 0).any()
    ]
    assert float(count_frames(*scored).false_positive_rate()) == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize("score", [mean_iou, f_score])
def test_what_cannot_be_scored(scored, score):
    logits, masks, labelled = scored
    with pytest.raises(
        UserError, match=r"protocol=frames is unknown; did you mean frame\? \(allowed: reference, frame, dataset, "
    ):
        score(logits, masks, "frames")
    with pytest.raises(UserError, match="batch_clips=0"):
        score(logits, masks, batch_clips=0)
    for protocol in PROTOCOLS:
        with pytest.raises(UserError, match="no labelled frame"):
            score(logits, masks, protocol, labelled=torch.zeros_like(labelled))
