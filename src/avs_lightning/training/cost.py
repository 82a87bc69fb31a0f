"""What a training costs: time, clips a second, memory. Kept in the checkpoints, so that it adds up over resumes."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

WARM_UP_STEPS = 2


class TrainingCost(Callback):
    """Measures the training and logs `cost/clips_per_second` and `cost/peak_memory_mib` every epoch.

    Clips are those of all processes. Their seconds run from the start of an epoch to the end of its last training
    batch, loading included and validation left out; the first two steps of a session, in which workers start and
    kernels are chosen, count only where there are no others.

    Attributes:
        train_seconds: wall time of the training, validation included, over all sessions up to the last checkpoint and
            the present one.
        peak_memory_mib: the most that one process has needed: allocated on its GPU, or else resident.
        start_seconds: of this process on the processor until it trains: imports, building the network.
        test_seconds: wall time of the test with every sound, pictures included.
        device: "cpu", or the name of the GPU that trained last.
    """

    def __init__(self) -> None:
        self.train_seconds = self.start_seconds = self.test_seconds = 0.0
        self.peak_memory_mib = 0.0
        self.device = ""
        self._clips, self._seconds = 0, 0.0
        self._warm_up = self._epoch = (0, 0.0)
        self._steps = 0
        self._fit_mark = self._batch_mark = self._test_mark = 0.0

    def summary(self, method: pl.LightningModule) -> dict[str, Any]:
        """Return what metrics.json holds under "cost"; clips a second are None where nothing was trained."""
        clips, seconds = (self._clips, self._seconds) if self._clips else self._warm_up
        return {
            "parameters": sum(p.numel() for p in method.parameters()),
            "trained_parameters": sum(p.numel() for p in method.parameters() if p.requires_grad),
            "start_seconds": round(self.start_seconds, 1),
            "train_seconds": round(self.train_seconds, 1),
            "test_seconds": round(self.test_seconds, 1),
            "clips_per_second": round(clips / seconds, 2) if seconds else None,
            "peak_memory_mib": round(self.peak_memory_mib, 1),
            "device": self.device,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far, for the checkpoint."""
        self._count_time()
        return {
            "train_seconds": self.train_seconds,
            "peak_memory_mib": self.peak_memory_mib,
            "device": self.device,
            "clips": self._clips,
            "seconds": self._seconds,
            "warm_up": list(self._warm_up),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the sums of earlier sessions."""
        self.train_seconds = state_dict["train_seconds"]
        self.peak_memory_mib, self.device = state_dict["peak_memory_mib"], state_dict["device"]
        self._clips, self._seconds = state_dict["clips"], state_dict["seconds"]
        self._warm_up = (state_dict["warm_up"][0], state_dict["warm_up"][1])

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._fit_mark = time.perf_counter() if stage == "fit" else 0.0
        self._test_mark = time.perf_counter()
        if stage == "fit":
            self.start_seconds = time.process_time()
        self.device = self.device or device_name(trainer.strategy.root_device)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.device = device_name(trainer.strategy.root_device)  # a resumed run may have moved
        self._epoch = (0, 0.0)
        self._batch_mark = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        clips, seconds = len(batch) * trainer.world_size, now - self._batch_mark
        self._batch_mark = now
        self._steps += 1
        if self._steps <= WARM_UP_STEPS:
            self._warm_up = (self._warm_up[0] + clips, self._warm_up[1] + seconds)
        else:
            self._clips, self._seconds = self._clips + clips, self._seconds + seconds
            self._epoch = (self._epoch[0] + clips, self._epoch[1] + seconds)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._batch_mark = time.perf_counter()  # for a validation in the middle of an epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        peak = torch.tensor(peak_memory_mib(pl_module.device), device=pl_module.device)
        highest = float(trainer.strategy.reduce(peak, reduce_op="max"))  # the process that needs the most
        self.peak_memory_mib = max(self.peak_memory_mib, highest)
        clips, seconds = self._epoch if self._epoch[0] else self._warm_up
        values = {"cost/clips_per_second": clips / seconds, "cost/peak_memory_mib": self.peak_memory_mib}
        pl_module.log_dict(values, sync_dist=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "test":
            self.test_seconds = time.perf_counter() - self._test_mark

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._count_time()
        self._fit_mark = 0.0

    def _count_time(self) -> None:
        if self._fit_mark:
            now = time.perf_counter()
            self.train_seconds += now - self._fit_mark
            self._fit_mark = now


def peak_memory_mib(device: torch.device) -> float:
    """Return the most memory so far in MiB: allocated on the GPU, or else resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def device_name(device: torch.device) -> str:
    """Return the GPU's name, or the kind of device ("cpu")."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
