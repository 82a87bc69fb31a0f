"""The F-score as it was first published: a loop over frames and thresholds. The oracle of tests and benchmark."""

import torch
from torch import Tensor


def looped_f_score(logits: Tensor, masks: Tensor, thresholds: int = 255) -> Tensor:
    """Return the F-score of one batch, the maximum of the mean curve of its non-empty frames.

    Args:
        logits: [clips, T, H, W].
        masks: [clips, T, H, W], 0 or 1.
        thresholds: how many, between 0 and 1.
    """
    curves = []
    for probabilities, mask in zip(logits.flatten(0, 1).sigmoid(), masks.flatten(0, 1)):
        if mask.mean() == 0:
            continue
        precision, recall = mask.new_zeros(2, thresholds)
        for k, threshold in enumerate(torch.linspace(0, 1 - 1e-10, thresholds)):
            predicted = (probabilities >= threshold).float()
            correct = (predicted * mask).sum()
            precision[k] = correct / (predicted.sum() + 1e-20)
            recall[k] = correct / (mask.sum() + 1e-20)
        curve = 1.3 * precision * recall / (0.3 * precision + recall)
        curves.append(curve.nan_to_num(nan=0.0))
    return torch.stack(curves).mean(0).max() if curves else masks.new_zeros(())
