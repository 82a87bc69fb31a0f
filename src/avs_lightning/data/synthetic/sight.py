"""What perfect sight would see without hearing: the bound that a deaf model can be set beside."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avs_lightning.data.synthetic.rendering import render_frames, render_masks
from avs_lightning.data.synthetic.request import Request
from avs_lightning.data.synthetic.scenes import plan_scene


def object_masks(folder: Path, split: str = "test") -> tuple[Tensor, Tensor]:
    """Draw a split's objects again from what the data set was made from.

    A deaf guesser that knows every object exactly cannot tell which of them sound; painting them all is the best it can
    do under mIoU as long as an object sounds about half of the time.

    Args:
        folder: with the CSV, as `write_dataset` returns it.
        split: of the set.

    Returns:
        The visible pixels of all objects, and of those that sound (the ground truth): two [clips, 5, H, W] bool.
    """
    request = Request.stored_in(folder)
    objects, sounding = [], []
    for number in range(request.clips.get(split, 0)):
        scene = plan_scene(request.setting, split, number, request.categories, request.seed, request.switching)
        visible = render_frames(scene, request.size)[1]
        objects.append(visible.sum(0) >= 0.5)
        sounding.append(render_masks(scene, visible))
    return torch.from_numpy(np.stack(objects)), torch.from_numpy(np.stack(sounding))
