import pytest
import torch

from avs_lightning.errors import UserError
from avs_lightning.metrics import PROTOCOLS, FScore, MeanIoU, SegmentationScores, f_score, mean_iou
from avs_lightning.metrics.per_clip import score_seconds

CLIPS = 11


def clips():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(CLIPS, 5, 1, 15, 15, generator=generator)
    masks = (logits + 2 * torch.randn(logits.shape, generator=generator) > 0.5).float()
    masks.view(-1, 15, 15)[::6] = 0
    labelled = torch.rand(CLIPS, 5, generator=generator) > 0.2
    return logits, masks, labelled


def scores_of(batches):
    scores = SegmentationScores()
    logits, masks, labelled = clips()
    for batch in batches:
        scores.update(logits[batch], masks[batch], labelled[batch], torch.tensor(batch))
    of_clips = {f"clips_{name}": values.nan_to_num(-1) for name, values in vars(scores.per_clip()).items()}
    return scores.compute() | of_clips | {"seconds": score_seconds(scores.counts()[1])}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_values_are_those_of_the_functions():
    logits, masks, labelled = clips()
    scores = scores_of([list(range(CLIPS))])
    for protocol in PROTOCOLS:
        assert scores[f"miou_{protocol}"] == mean_iou(logits, masks, protocol, labelled=labelled)
        assert scores[f"fscore_{protocol}"] == f_score(logits, masks, protocol, labelled=labelled)
        for metric, function in ((MeanIoU, mean_iou), (FScore, f_score)):
            thin = metric(protocol, batch_clips=3)
            for start in range(0, CLIPS, 2):
                thin.update(logits[start : start + 2], masks[start : start + 2])
            assert thin.compute() == function(logits, masks, protocol, batch_clips=3)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
def test_batch_size_changes_nothing(size):
    one = scores_of([list(range(CLIPS))])
    assert same(one, scores_of([list(range(CLIPS))[start : start + size] for start in range(0, CLIPS, size)]))


def test_order_and_repeats_change_nothing():
    one = scores_of([list(range(CLIPS))])
    assert same(one, scores_of([[10, 3, 3], [0, 1, 9, 10], [8, 7], [6, 5, 4, 2, 0]]))
    assert not same(one, scores_of([list(range(CLIPS - 1))]))


def score_share(rank):
    share = [*range(CLIPS), 0][rank::2]  # as a padding DistributedSampler deals 11 clips to two processes
    return scores_of([share[:4], share[4:]])


def score_lopsided(rank):
    return scores_of([[5, 2], [0], [1, 3, 4, 6, 7, 8, 9]] if rank else [[10]])


def score_alone(rank):
    return scores_of([list(range(CLIPS))] if rank else [])


def score_in_every_way(rank):
    return score_share(rank), score_lopsided(rank), score_alone(rank)


def test_two_processes_equal_one(in_two_processes):
    one = scores_of([list(range(CLIPS))])
    for of_process in in_two_processes(score_in_every_way):
        assert all(same(one, scores) for scores in of_process)


def test_tables():
    logits, masks, labelled = clips()
    labelled[4] = False
    labelled[:, 2] = False
    scores = SegmentationScores()
    scores.update(logits, masks, labelled, torch.arange(CLIPS).flip(0))
    assert scores.per_clip().indices.tolist() == list(range(CLIPS))
    seconds = score_seconds(scores.counts()[1])
    assert seconds.isnan().tolist() == [False, False, True, False, False]
    first = mean_iou(logits[:, :1], masks[:, :1], "frame", labelled=labelled[:, :1])
    assert seconds[0].item() == pytest.approx(float(first))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_one_test_has_the_reference_by_each_batch_size_that_papers_use(size):
    logits, masks, labelled = clips()
    scores = SegmentationScores()
    scores.update(logits, masks, labelled, torch.arange(CLIPS))
    values, name = scores.compute(), "reference" if size == 4 else f"reference@{size}"
    for metric, score in (("miou", mean_iou), ("fscore", f_score)):
        expected = score(logits, masks, "reference", batch_clips=size, labelled=labelled)
        assert values[f"{metric}_{name}"] == expected == score(logits, masks, name, labelled=labelled)
    assert len({values[f"fscore_{name}"].item() for name in ("reference", "reference@2", "reference@1")}) == 3


def test_reset_forgets():
    scores = SegmentationScores()
    scores.update(*clips())
    scores.reset()
    with pytest.raises(UserError, match="no clip to score"):
        scores.compute()


def update_without_indices(rank):
    logits, masks, _ = clips()
    try:
        MeanIoU().update(logits, masks)
    except UserError as error:
        return str(error)


def test_several_processes_need_indices(in_two_processes):
    assert all("indices" in message for message in in_two_processes(update_without_indices))
