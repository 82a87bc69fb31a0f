"""What every segmentation method shares: exact scores, logging, the optimiser."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from avs_lightning.data import ClipBatch
from avs_lightning.errors import UserError
from avs_lightning.methods.optimizers import build_optimizer
from avs_lightning.metrics import ClipScores, SegmentationScores
from avs_lightning.models import NetworkOutput


class SegmentationMethod(pl.LightningModule):
    """Base of the methods: a subclass says how a batch becomes an output, and what is optimised.

    Scores are logged as `val/miou_frame`, `test/fscore_reference`, ...: set, metric and protocol, always.

    Args:
        optimizer: plain values for `build_optimizer` (name, lr, weight_decay, scheduler, warmup_steps).

    Attributes:
        test_scores: by the name of each test dataloader, in order (`set_test_sets`); scores are logged under it.
        clip_scores: after a test, by the same names, the scores of each clip by itself.
    """

    def __init__(self, optimizer: Mapping[str, Any]):
        super().__init__()
        self.optimizer_options = dict(optimizer)
        self.val_scores = SegmentationScores()
        self.test_scores = nn.ModuleDict()
        self.clip_scores: dict[str, ClipScores] = {}
        self.set_test_sets(["test"])

    @abstractmethod
    def forward(self, batch: ClipBatch) -> NetworkOutput:
        """Run the network on a batch."""

    @abstractmethod
    def losses(self, out: NetworkOutput, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the weighted terms whose sum is optimised, by name."""

    def set_test_sets(self, names: list[str]) -> None:
        """Name the test dataloaders that are to come."""
        self.test_scores = nn.ModuleDict({name: SegmentationScores() for name in names})
        self.clip_scores = {}

    def on_train_epoch_start(self) -> None:
        # An epoch's randomness hangs on (seed, epoch, rank) alone, so that a resumed run repeats an uninterrupted one.
        seed = int(self.trainer.datamodule.hparams.seed)  # type: ignore[attr-defined]
        torch.manual_seed((seed * 1_000_003 + self.current_epoch) * 4_099 + self.global_rank)

    def training_step(self, batch: ClipBatch, batch_index: int) -> Tensor:
        terms = self.losses(self(batch), batch)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss.detach()):
            values = ", ".join(f"{name}={value.item():.4g}" for name, value in terms.items())
            raise UserError(
                f"the loss became {loss.item()} in epoch {self.current_epoch}, batch {batch_index}, clips "
                f"{', '.join(batch.ids)} ({values}): lower the learning rate (method.optimizer.lr), clip gradients "
                "(trainer.gradient_clip_val) or train in 32-bit (trainer.precision)"
            )
        logged = {f"train/{name}": value.detach() for name, value in terms.items()} | {"train/loss": loss.detach()}
        self.log_dict(logged, batch_size=len(batch), on_step=True, on_epoch=True, sync_dist=True)
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=len(batch))
        return loss

    def validation_step(self, batch: ClipBatch, batch_index: int) -> None:
        self.val_scores.update(self(batch).logits, batch.masks, batch.labelled, batch.indices)

    def on_validation_epoch_end(self) -> None:
        values = self._log_scores("val", self.val_scores)
        self.log("mIoU", values["miou_frame"], prog_bar=True, logger=False)

    def test_step(self, batch: ClipBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        scores = list(self.test_scores.values())[dataloader_idx]
        assert isinstance(scores, SegmentationScores)
        scores.update(self(batch).logits, batch.masks, batch.labelled, batch.indices)

    def on_test_epoch_end(self) -> None:
        for name, scores in self.test_scores.items():
            assert isinstance(scores, SegmentationScores)
            self.clip_scores[name] = scores.per_clip()
            self._log_scores(name, scores)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["avs_method"] = type(self).__name__
        if (reached := self.trainer.callback_metrics.get("val/miou_frame")) is not None:
            checkpoint["avs_val_miou_frame"] = reached.item()
        data = type(self.trainer.datamodule)  # type: ignore[attr-defined]
        checkpoint["avs_datamodule"] = f"{data.__module__}.{data.__qualname__}"

    def _log_scores(self, prefix: str, scores: nn.Module) -> dict[str, Tensor]:
        assert isinstance(scores, SegmentationScores)
        values = dict(scores.compute())  # has brought the rows of all processes together
        values |= {f"miou_second_{i + 1}": value for i, value in enumerate(scores.per_second())}
        values = {name: value.float() for name, value in values.items()}
        self.log_dict({f"{prefix}/{name}": value for name, value in values.items()})
        scores.reset()
        return values

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.parameters() if p.requires_grad]
        return build_optimizer(parameters, self.optimizer_options, lambda: int(self.trainer.estimated_stepping_batches))
