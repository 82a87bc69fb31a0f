"""How large the gradients are: the first thing to look at where a loss does not fall."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback


class GradientNorm(Callback):
    """Logs `train/gradient_norm` with the other values of a step: the 2-norm over all parameters, before clipping.

    Lightning calls the hook once an optimiser step, when gradients are summed over accumulated batches and processes
    and AMP's scale is out of them. So the value is the same in every process, and nothing is gathered. A step that AMP
    skips shows as inf or NaN.
    """

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        pl_module.log("train/gradient_norm", torch.nn.utils.get_total_norm(gradients).float(), on_epoch=False)
