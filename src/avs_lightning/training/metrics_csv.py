"""metrics.csv: every logged number, whole after a kill and continued after a resume."""

from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from avs_lightning.files import write_whole
from avs_lightning.training.epochs import with_epoch_from_one


class MetricsCSV(Logger):
    """One row a step that logged something, one column a metric; written beside and renamed.

    Epochs count from one; a test's row has none. A file that is already there is continued: its rows from the first
    newly logged step on are dropped.

    Args:
        path: the file.
        training: it is of a training, and not of an evaluation.
        flush_every: so many rows are kept back before the file is written, within an epoch.
    """

    def __init__(self, path: Path, training: bool = True, flush_every: int = 50):
        super().__init__()
        self.path = path
        self.training = training
        self.flush_every = flush_every
        self._rows: dict[int, dict[str, float]] | None = None
        self._unsaved = 0

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run folder holds the configuration."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        step, metrics = step or 0, with_epoch_from_one(metrics, self.training)
        if self._rows is None:
            self._rows = {s: row for s, row in self._read().items() if s < step}
        self._rows.setdefault(step, {}).update(metrics)
        self._unsaved += 1
        if self._unsaved >= self.flush_every or any(
            name.startswith("val/") or name.endswith("_epoch") for name in metrics
        ):
            self.save()

    def _read(self) -> dict[int, dict[str, float]]:
        if not self.path.exists():
            return {}
        table = pd.read_csv(self.path, float_precision="round_trip")
        rows = table.drop(columns="step").to_dict("records")
        return {
            int(step): {str(k): v for k, v in row.items() if not pd.isna(v)} for step, row in zip(table["step"], rows)
        }

    @rank_zero_only
    def save(self) -> None:
        if not self._rows:
            return
        table = pd.DataFrame([{"step": step, **row} for step, row in sorted(self._rows.items())])
        if "epoch" in table:
            table["epoch"] = table["epoch"].astype("Int64")  # rows without one would make the others 0.0
        leading = [name for name in ("step", "epoch") if name in table]
        table = table[leading + sorted(set(table.columns) - set(leading))]
        write_whole(self.path, table.to_csv(index=False))
        self._unsaved = 0

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()
