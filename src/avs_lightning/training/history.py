"""The history of a training: a bar while it goes on, a line an epoch that stays, and its curves."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar

from avs_lightning.metrics.names import score_text
from avs_lightning.reporting.console import console, say, spoken
from avs_lightning.reporting.curves import Epoch, draw_curves
from avs_lightning.run.names import CURVES
from avs_lightning.training.epochs import epoch_of

SCORE = "val/miou_frame"


class EpochBar(RichProgressBar):
    """Lightning's bar with epochs from one; `History` prints its lines above. Without a terminal it shows nothing."""

    def __init__(self) -> None:
        super().__init__(leave=False, console_kwargs={"quiet": not console.is_terminal})
        self._values: dict[str, Any] = {}

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return the values beside the bar, less the logger's version.

        In training they are new as often as the loggers' (`trainer.log_every_n_steps`): reading them waits for the
        device.
        """
        every = trainer.log_every_n_steps or 1  # type: ignore[attr-defined]
        if console.is_terminal and (not trainer.training or (trainer.fit_loop.batch_idx + 1) % every == 0):
            self._values = super().get_metrics(trainer, pl_module)
            self._values.pop("v_num", None)
        return self._values

    def _get_train_description(self, current_epoch: int) -> str:
        return f"{epoch_of(current_epoch + 1, self.trainer.max_epochs):{len(self.validation_description)}}"


class History(Callback):
    """Says each epoch's loss, validation score, pace and time in one line, and draws the curves when all have passed.

    It reads what is logged, and so has to stand after the callbacks that log. It is kept in the checkpoints, so that a
    resumed run has the whole of it. The curves go into the run's folder, pictures/curves.png.

    Attributes:
        epochs: those that have ended.
    """

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self._started = 0.0
        self._validated = False

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs so far, for the checkpoint."""
        return {"epochs": [list(epoch) for epoch in self.epochs]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the epochs of earlier sessions."""
        self.epochs = [Epoch(*epoch) for epoch in state_dict["epochs"]]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started, self._validated = time.perf_counter(), False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}  # in every process
        miou = values.get(SCORE) if self._validated else None
        self.epochs.append(Epoch(trainer.current_epoch + 1, values.get("train/loss_epoch"), miou))
        parts = [f"loss {values['train/loss_epoch']:.4f}"] if "train/loss_epoch" in values else []
        if miou is not None:
            best = max((epoch for epoch in self.epochs if epoch.miou is not None), key=lambda epoch: epoch.miou or 0.0)
            parts.append(f"val mIoU {score_text(SCORE[4:], miou):>4} %")
            parts.append(f"best {score_text(SCORE[4:], best.miou):>4} (epoch {best.number})")
        if pace := values.get("cost/clips_per_second"):
            parts.append(f"{pace:.1f} clips/s")
        parts.append(spoken(time.perf_counter() - self._started))
        say(f"{epoch_of(trainer.current_epoch + 1, trainer.max_epochs)}: {', '.join(parts)}")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero and len(self.epochs) > 1:
            draw_curves(self.epochs, Path(trainer.default_root_dir) / CURVES)
