"""The norm of the gradients, as a step logs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor

from avs_lightning.training.gradient_norm import GradientNorm


class Linear(pl.LightningModule):
    """The gradient of its weights is the mean of the inputs; one weight has none."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterList([torch.zeros(1), torch.zeros(1), torch.zeros(1)])

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        self.log("train/loss", 0.0, on_step=True)
        return (batch[:, 0] * self.weights[0] + batch[:, 1] * self.weights[1]).mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.0)


class Kept(DummyLogger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.norms: list[float] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:  # type: ignore[override]
        if "train/gradient_norm" in metrics:
            self.norms.append(metrics["train/gradient_norm"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_is_that_of_the_step_before_clipping(tmp_path: Path, precision: Any) -> None:
    logger = Kept()
    inputs = torch.tensor([[6.0, 8.0], [0.0, 0.0], [3.0, 0.0], [3.0, 16.0]])
    trainer = pl.Trainer(
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=logger,
        callbacks=[GradientNorm()],
        precision=precision,
        max_epochs=1,
        accumulate_grad_batches=2,
        gradient_clip_val=0.1,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Linear(), torch.utils.data.DataLoader(inputs, batch_size=1))
    assert logger.norms == pytest.approx([5.0, (9 + 64) ** 0.5], rel=1e-2)
