"""Scores of several classes, against the released AVSBench-semantic code and against loops."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from avs_lightning.errors import UserError
from avs_lightning.metrics import SegmentationScores, f_score, mean_iou
from avs_lightning.metrics.protocols import count_frames
from avs_lightning.metrics.semantic import ClassCounts

CLIPS, T, K, SIDE = 5, 4, 6, 12
LENGTHS = [4, 2, 3, 4, 1]


def random_clips(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, labels and which frames are labelled; class 4 is neither true nor predicted, class 5 predicted only."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(CLIPS, T, K, SIDE, SIDE, generator=draw)
    logits[:, :, 4] = -9
    labels = torch.randint(4, (CLIPS, T, SIDE, SIDE), generator=draw).byte()
    labels[0, 1] = 0  # silent
    labelled = torch.rand(CLIPS, T, generator=draw) > 0.3
    for clip, length in enumerate(LENGTHS):
        logits[clip, length:], labels[clip, length:], labelled[clip, length:] = 0, 0, False
    return logits, labels, labelled


def looped(logits: Tensor, labels: Tensor, frames: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """The IoU and F of each class in each frame, a class at a time: [frames, K], NaN where it is not in the union."""
    found = {"iou": np.full((len(frames), K), np.nan), "fscore": np.full((len(frames), K), np.nan)}
    for row, (clip, t) in enumerate(frames):
        guess, truth = logits[clip, t].argmax(0).numpy(), labels[clip, t].numpy()
        for k in range(K):
            p, m = guess == k, truth == k
            if (p | m).any():
                both = (p & m).sum()
                found["iou"][row, k] = both / (p | m).sum()
                precision, recall = both / max(p.sum(), 1), both / max(m.sum(), 1)
                found["fscore"][row, k] = 1.3 * precision * recall / (0.3 * precision + recall) if both else 0
    return found


def test_scores_are_means_over_classes_of_means_over_frames() -> None:
    logits, labels, labelled = random_clips()
    scores = SegmentationScores(K)
    scores.update(logits, labels, labelled, lengths=LENGTHS)
    values = scores.compute()
    assert tuple(values) == scores.names
    real = [(c, t) for c in range(CLIPS) for t in range(T) if labelled[c, t]]
    padded = [(c, t) for c in range(CLIPS) for t in range(T) if t >= LENGTHS[c]]
    of_real, of_all = looped(logits, labels, real), looped(logits, labels, real + padded)
    for name, metric in (("miou", "iou"), ("fscore", "fscore")):
        by_class = np.nanmean(of_all[metric][:, [0, 1, 2, 3, 5]], 0)
        assert values[f"{name}_reference"] == pytest.approx(by_class.sum() / K, abs=1e-6)
        assert values[f"{name}_frame"] == pytest.approx(
            np.nanmean(of_real[metric][:, [0, 1, 2, 3, 5]], 0).mean(), abs=1e-6
        )
    guess, truth = (x[labelled].numpy() for x in (logits.argmax(2), labels))
    pixels = [((guess == k) & (truth == k)).sum() / ((guess == k) | (truth == k)).sum() for k in (0, 1, 2, 3, 5)]
    assert values["miou_dataset"] == pytest.approx(np.mean(pixels), abs=1e-6)
    wrong = [((g > 0) & (m == 0)).sum() / (m == 0).sum() for g, m in zip(guess, truth)]
    assert values["false_positive_rate"] == pytest.approx(np.mean(wrong), abs=1e-6)
    assert values["miou_reference"] == mean_iou(logits, labels, labelled=labelled | ~exists())  # as labelled background
    assert values["fscore_frame"] == f_score(logits, labels, "frame", labelled=labelled)


def exists() -> Tensor:
    return torch.arange(T) < torch.tensor(LENGTHS)[:, None]


def test_clips_by_themselves() -> None:
    logits, labels, labelled = random_clips()
    scores = SegmentationScores(K)
    scores.update(logits, labels, labelled, lengths=LENGTHS)
    table = scores.per_clip()
    for clip in range(CLIPS):
        frames = [(clip, t) for t in range(T) if labelled[clip, t]]
        sounding = [frame for frame in frames if labels[frame].any()]
        assert table.sounding[clip].sum() == len(sounding)
        if frames:
            ious = np.nanmean(looped(logits, labels, frames)["iou"], 1)
            assert table.miou[clip] == pytest.approx(ious.mean(), abs=1e-6)
            assert table.seconds[clip][labelled[clip]].tolist() == pytest.approx(ious.tolist(), abs=1e-6)
        if sounding:
            fscores = np.nanmean(looped(logits, labels, sounding)["fscore"], 1)
            assert table.fscore[clip] == pytest.approx(fscores.mean(), abs=1e-6)


def test_what_is_predicted_of_padding_changes_no_score() -> None:
    logits, labels, labelled = random_clips()
    values = []
    for padding in (0.0, 7.0):
        scores, changed = SegmentationScores(K), logits.clone()
        changed[:, :, 2] += padding * ~exists()[..., None, None]
        scores.update(changed, labels, labelled, lengths=LENGTHS)
        values.append(scores.compute())
    assert values[0] == values[1]


def test_batches_and_repeats_change_no_score() -> None:
    logits, labels, labelled = random_clips()
    whole, parts = SegmentationScores(K), SegmentationScores(K)
    whole.update(logits, labels, labelled, lengths=LENGTHS)
    for chosen in ([4, 1], [0, 2, 1], [3]):
        own = [LENGTHS[i] for i in chosen]
        parts.update(logits[chosen], labels[chosen], labelled[chosen], torch.tensor(chosen), own)
    assert whole.compute() == parts.compute()


def test_logits_of_another_number_of_classes_are_refused() -> None:
    logits, labels, _ = random_clips()
    with pytest.raises(UserError, match="K = 7"):
        SegmentationScores(7).update(logits, labels)
    with pytest.raises(UserError, match="reference@2"):
        mean_iou(logits, labels, "reference@2")
    with pytest.raises(UserError, match="NaN"):
        mean_iou(torch.full_like(logits, torch.nan), labels)


@pytest.fixture(scope="module")
def made(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill_avss", shared / "parity" / "avss" / "fill_avss.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def test_the_released_scores(shared: Path, made: ModuleType) -> None:
    folder = shared / "parity" / "avss"
    cases: list[dict[str, Any]] = json.loads((folder / "metric.json").read_text())
    sums = np.load(folder / "metric.npz")
    assert len(cases) == 10
    for case in cases:
        name, args = case["case"], case["args"]
        labels, prediction, vid, _ = made.metric_maps(**args)
        clips, lengths = len(args["kinds"]), vid.reshape(-1, 10).sum(1).astype(int).tolist()
        logits = torch.from_numpy(made.logits_of(prediction, args["seed"])).unflatten(0, (clips, 10))
        truth = torch.from_numpy(labels).unflatten(0, (clips, 10))
        counts = count_frames(
            logits, truth
        )  # the released code reads neither which frames exist nor which are labelled
        assert isinstance(counts, ClassCounts)
        for score, value in (("miou", counts.miou()), ("fscore", counts.fscore())):
            assert value.item() == pytest.approx(case["by_batch"]["4"][score], abs=2e-6), (name, score)
        np.testing.assert_allclose(counts.class_ious().nan_to_num(0), sums[f"{name}/iou"], atol=1e-6)
        np.testing.assert_allclose(counts.class_fscores().nan_to_num(0), sums[f"{name}/fscore"], atol=1e-6)

        existing = count_frames(logits, truth, torch.from_numpy(vid.reshape(-1, 10) > 0), lengths)
        assert existing.miou("frame").item() == pytest.approx(case["valid_frames"]["miou_seen"], abs=2e-6), name
        assert existing.fscore("frame").item() == pytest.approx(case["valid_frames"]["fscore_seen"], abs=2e-6), name
        if args.get("padded", "background") == "background":
            assert existing.miou("reference") == counts.miou(), name
