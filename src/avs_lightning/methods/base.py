"""What every segmentation method shares: exact scores, logging, the optimiser."""

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchmetrics import Metric

from avs_lightning.data import BINARY, ClipBatch
from avs_lightning.errors import UserError
from avs_lightning.methods.graph import graph_leaves
from avs_lightning.methods.optimizers import ADAM, build_optimizer
from avs_lightning.methods.published import leave_out, whole_entries
from avs_lightning.metrics import ClipScores, SegmentationScores
from avs_lightning.metrics.counts import FrameCounts
from avs_lightning.metrics.per_clip import score_clips, score_seconds
from avs_lightning.metrics.semantic import ClassCounts
from avs_lightning.models import NetworkOutput
from avs_lightning.targets import dotted_path


class SegmentationMethod(pl.LightningModule):
    """Base of the methods: a subclass says how a batch becomes an output, and what is optimised.

    Scores are logged as `val/miou_frame`, `test/fscore_reference`, ...: set, metric and protocol, always.

    What else trains, studies and reports need to know of a method they ask it: the hooks below have defaults.

    Every argument is a plain value, also those from which parts are built (`targets.build`), and is saved
    (`self.save_hyperparameters()`): a checkpoint then rebuilds its method by itself, executing nothing. A method's
    arguments are filled from `method` in the configuration, else from the group of that name, else from the data module
    (`image_size`); a setting called `weights` names pretrained weights, "none" for none.

    Args:
        optimizer: `_target_` and arguments of an optimiser, see `build_optimizer`; None: Adam.
        schedule: `name` and `warmup_steps` of the learning rate's schedule; None: a constant rate.
        classes: of the data, by name, the background first.

    Attributes:
        classes: of the arguments.
        logits: K, that the network has for each pixel: 1 for two classes.
        start_prefix: of the entries that a checkpoint to start from has to bring by name and shape, "" for all.
        quick_settings: groups of the configuration, or settings, that hardly change how long a step takes.
        test_scores: by the name of each test dataloader, in order (`set_test_sets`); scores are logged under it.
        results: after a test, by the same names, the scores by `metric_protocol`.
        clip_scores: likewise the scores of each clip by itself.
        class_scores: likewise of several classes the scores of each, see `ClassCounts.by_class`.
        published: by submodule, the hash of the published weights that it was built with and keeps frozen; checkpoints
            name these instead of holding them.
    """

    start_prefix: ClassVar[str] = ""
    quick_settings: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        optimizer: Mapping[str, Any] | None = None,
        schedule: Mapping[str, Any] | None = None,
        classes: Sequence[str] = BINARY,
    ):
        super().__init__()
        self.classes = tuple(classes)
        self.logits = 1 if len(self.classes) == 2 else len(self.classes)
        self.optimizer_options, self.schedule_options = dict(optimizer or ADAM), dict(schedule or {})
        self.published: dict[str, str] = {}
        self.val_scores = SegmentationScores(len(self.classes))
        self.test_scores: dict[str, SegmentationScores] = {}
        self.results: dict[str, dict[str, float]] = {}
        self.clip_scores: dict[str, ClipScores] = {}
        self.class_scores: dict[str, dict[str, Tensor]] = {}
        self._val_miou: float | None = None  # of the present weights
        self._unread: list[tuple[int, list[str], dict[str, Tensor]]] = []  # batches whose losses nobody has looked at
        self.set_test_sets(["test"])

    @property
    def score_names(self) -> tuple[str, ...]:
        """What each set of scores holds; a subclass that logs more in the validation adds its names."""
        return self.val_scores.names

    @classmethod
    def published_parts(cls, hyper_parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the submodules that are built with published weights and stay frozen, by the method's arguments."""
        return ()

    @classmethod
    def released_entries(cls, content: Mapping[str, Any]) -> dict[str, Tensor]:
        """Translate what a checkpoint of the authors' own code holds into entries of this method.

        Raises:
            UserError: it is no such checkpoint.
        """
        raise cls._unknown_checkpoint()

    @classmethod
    def from_released(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild a method from a checkpoint of the authors' own code; more arguments are groups of the configuration.

        Raises:
            UserError: it is no such checkpoint.
        """
        raise cls._unknown_checkpoint()

    @classmethod
    def _unknown_checkpoint(cls) -> UserError:
        return UserError(f"{cls.__name__} knows no checkpoints but its own, and this one has no hyper_parameters")

    def reconcile(self, groups: Mapping[str, Any], released: bool) -> tuple[dict[str, Any], str]:
        """Compare what a command says about a checkpoint with the method it held.

        Returns:
            The settings as they are, by dotted key, and what to say about them.

        Args:
            groups: of the command's configuration.
            released: the checkpoint is of the authors' own code.

        Raises:
            UserError: they contradict each other.
        """
        return {}, ""

    def check_start(self, checkpoint: str | None) -> None:
        """See that a training may start from what `init.checkpoint` names, or from nothing (None).

        Raises:
            UserError: it may not, as a second stage without the first.
        """

    def label(self) -> str:
        """Return what tells this network from others, for messages about it."""
        return type(self).__name__

    def table_parts(self) -> list[tuple[str, nn.Module]]:
        """Return the parts that the table at the start of a run lists, by name."""
        return [(name, part) for name, part in self.named_children() if any(True for _ in part.parameters())]

    @abstractmethod
    def forward(self, batch: ClipBatch) -> NetworkOutput:
        """Run the network on a batch."""

    @abstractmethod
    def losses(self, out: NetworkOutput, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the weighted terms whose sum is optimised, by name."""

    def log(self, name: str, value: Any, *args: Any, **options: Any) -> None:
        """Log as Lightning does; with `sync_dist` over all processes here and now.

        Lightning would do so when a callback first reads the value: on the first process alone where that is its
        progress bar, while the others are in another collective. Here no reading communicates, so that callbacks may
        read in any order and in any process.

        Raises:
            TypeError: for a torchmetrics object, which would communicate when it is read.
        """
        if isinstance(value, Metric):
            raise TypeError(
                f"log({name!r}): give the value, metric.compute(); a metric would be reduced where it is read"
            )
        if options.pop("sync_dist", False) and self._trainer is not None:
            value = torch.as_tensor(value, dtype=torch.get_default_dtype(), device=self.device)
            value = over_processes(value, options.get("reduce_fx", "mean"))
        super().log(name, value, *args, **options)

    def set_test_sets(self, names: list[str]) -> None:
        """Name the test dataloaders that are to come."""
        self.test_scores = {name: SegmentationScores(len(self.classes)) for name in names}
        self._test_scores = nn.ModuleList(self.test_scores.values())  # a ModuleDict has no place for "train"
        self.results, self.clip_scores, self.class_scores = {}, {}, {}

    def idle_parameters(self, batch: ClipBatch) -> list[str]:
        """Return the names of the trained parameters that the loss of a batch does not reach."""
        training = self.training
        with torch.enable_grad():
            terms = self.eval().losses(self(batch), batch)
        self.train(training)
        reached = graph_leaves(torch.stack(list(terms.values())).sum())
        return [name for name, p in self.named_parameters() if p.requires_grad and p not in reached]

    def transfer_batch_to_device(self, batch: ClipBatch, device: torch.device, dataloader_idx: int) -> ClipBatch:
        # Lightning itself lets the host go on with tensors alone.
        return batch.to(device, non_blocking=device.type == "cuda")

    def on_train_epoch_start(self) -> None:
        # An epoch's randomness hangs on (seed, epoch, rank) alone, so that a resumed run repeats an uninterrupted one.
        if (seed := os.environ.get("PL_GLOBAL_SEED")) is not None:  # `seed_everything`'s
            torch.manual_seed((int(seed) * 1_000_003 + self.current_epoch) * 4_099 + self.global_rank)

    def training_step(self, batch: ClipBatch, batch_index: int) -> dict[str, Any]:
        terms = self.losses(self(batch), batch)
        loss = torch.stack(list(terms.values())).sum()
        values = torch.stack([*(term.detach() for term in terms.values()), loss.detach()])
        shown = dict(zip([*terms, "loss"], over_processes(values).unbind()))
        logged = {f"train/{name}": value for name, value in shown.items()}
        self.log_dict(logged, batch_size=len(batch), on_step=True, on_epoch=True)
        self.log("loss", shown["loss"], prog_bar=True, logger=False, batch_size=len(batch))
        return {"loss": loss, "shown": shown}

    def on_train_batch_end(self, outputs: Any, batch: ClipBatch, batch_idx: int) -> None:
        self._val_miou = None  # of the weights before this batch
        self._unread.append((batch_idx, batch.ids, outputs["shown"]))
        # Each look waits for the device: it is taken where Lightning hands the values to the loggers, and does so, too.
        if (batch_idx + 1) % (self.trainer.log_every_n_steps or 1) == 0:  # type: ignore[attr-defined]
            self.check_losses()

    def on_validation_start(self) -> None:
        self.check_losses()

    def on_train_epoch_end(self) -> None:
        self.check_losses()  # before checkpoints are written

    def check_losses(self) -> None:
        """See that the losses since the last look are numbers.

        Raises:
            UserError: one is not; names the clips of the first such batch.
        """
        unread, self._unread = self._unread, []
        if not unread or torch.stack([shown["loss"] for *_, shown in unread]).isfinite().all():
            return
        batch, ids, shown = next(entry for entry in unread if not entry[2]["loss"].isfinite())
        values = ", ".join(f"{name}={value.item():.4g}" for name, value in shown.items() if name != "loss")
        raise UserError(
            f"the loss became {shown['loss'].item()} in epoch {self.current_epoch + 1}, batch {batch + 1}, "
            f"clips {', '.join(ids)} ({values}): lower the learning rate (optimizer.lr), clip "
            "gradients (trainer.gradient_clip_val) or train in 32-bit (trainer.precision)"
        )

    def validation_step(self, batch: ClipBatch, batch_index: int) -> None:
        self._count(self.val_scores, batch)

    def on_validation_epoch_end(self) -> None:
        values, _, _ = self._log_scores("val", self.val_scores)
        self._val_miou = values["miou_frame"]
        self.log("mIoU", self._val_miou, prog_bar=True, logger=False)

    def test_step(self, batch: ClipBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        self._count(list(self.test_scores.values())[dataloader_idx], batch)

    def _count(self, scores: SegmentationScores, batch: ClipBatch) -> None:
        scores.update(self(batch).logits, batch.labels, batch.labelled, batch.indices, batch.lengths)

    def on_test_epoch_end(self) -> None:
        for name, scores in self.test_scores.items():
            self.results[name], indices, counts = self._log_scores(name, scores)
            self.clip_scores[name] = score_clips(indices, counts)
            if isinstance(counts, ClassCounts):
                self.class_scores[name] = counts.by_class()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["avs_method"] = dotted_path(type(self))
        if self._val_miou is not None:
            checkpoint["avs_val_miou_frame"] = self._val_miou
        if (datamodule := self.trainer.datamodule) is not None:  # type: ignore[attr-defined]
            checkpoint["avs_datamodule"] = dotted_path(type(datamodule))
        leave_out(checkpoint, self.published)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = self.entries_of(checkpoint)

    def entries_of(self, checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the entries of a checkpoint, see `whole_entries`."""
        return whole_entries(checkpoint, self, self.published)

    def _log_scores(self, prefix: str, scores: SegmentationScores) -> tuple[dict[str, float], Tensor, FrameCounts]:
        indices, counts = scores.counts()  # the one gathering: what follows is the same in every process
        scored = scores.of(counts)
        scored |= {f"miou_second_{i + 1}": value for i, value in enumerate(score_seconds(counts))}
        values = dict(zip(scored, torch.stack([value.float() for value in scored.values()]).tolist()))
        self.log_dict({f"{prefix}/{name}": value for name, value in values.items()})
        scores.reset()
        return values, indices, counts

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.parameters() if p.requires_grad]

        def steps() -> int:
            return int(self.trainer.estimated_stepping_batches)

        return build_optimizer(parameters, self.optimizer_options, self.schedule_options, steps)


def over_processes(values: Tensor, reduce_fx: Any = "mean") -> Tensor:
    """Return the mean (or `reduce_fx`: sum, min or max) of a tensor over all processes, which all have to take part."""
    if not (dist.is_available() and dist.is_initialized()):
        return values
    operation = getattr(reduce_fx, "__name__", reduce_fx)
    values = values.clone()
    dist.all_reduce(values, {"min": dist.ReduceOp.MIN, "max": dist.ReduceOp.MAX}.get(operation, dist.ReduceOp.SUM))
    return values / dist.get_world_size() if operation in ("mean", "avg") else values
