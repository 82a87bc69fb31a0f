"""The main job: train, then test the best checkpoint."""

import json
import logging
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback

from avs_lightning.data.probes import Probe
from avs_lightning.data.sound_names import OWN
from avs_lightning.errors import UserError
from avs_lightning.methods import SegmentationMethod
from avs_lightning.methods.building import build_method
from avs_lightning.methods.loading import Start, read_checkpoint, start_from
from avs_lightning.models.weights import load_entries
from avs_lightning.reporting.console import console, is_first_process, say
from avs_lightning.reporting.tables import network_table
from avs_lightning.training.checkpoints import BestCheckpoint, LastCheckpoint
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.evaluate import asked_probes, provenance, say_scores, test_scores, tested_clips
from avs_lightning.training.loggers import log_data, run_loggers
from avs_lightning.training.resuming import check_resume, longer, same_limits
from avs_lightning.training.run_folder import RunFolder
from avs_lightning.training.stops import explained_stops
from avs_lightning.training.trainer import build_trainer, check_monitor, check_settings, plain

C = TypeVar("C", bound=Callback)
log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> dict[str, Any]:
    """Train as configured and return what metrics.json holds.

    Raises:
        UserError: anything that the user can mend: configuration, data, checkpoints, disk.
    """
    folder = RunFolder(Path(cfg.paths.output_dir).resolve())
    probes = asked_probes(cfg) if cfg.test else {}
    check_settings(cfg)
    resuming = cfg.resume is not None
    if resuming and (folder.last.exists() or folder.metrics.exists()):
        stored = read_config(folder)
        check_resume(stored, plain(cfg), folder.path)
        if done := results_of_finished(cfg, folder, same_limits(stored, plain(cfg))):
            more = longer(cfg.trainer, done["epochs"], done["steps"])
            console.print(f"{folder.path} is done; with {more} it would go on", soft_wrap=True)
            report(cfg, folder, done)
            return done
    if is_first_process() and not (resuming or cfg.dry_run):
        folder.check_free()
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = build_datamodule(cfg)
    datamodule.check()
    resume_from = folder.last if resuming and folder.last.exists() else None
    checkpoint = read_checkpoint(resume_from) if resume_from else None
    with console.status("building the network (pretrained weights are fetched on first use)"):
        method = build_method(plain(cfg), datamodule, checkpoint)
    if checkpoint is None:
        method.check_start(cfg.init.checkpoint)
        initialise(method, cfg.init.checkpoint)
    check_monitor(cfg.callbacks.checkpoint.monitor, method)
    if is_first_process():
        console.print(network_table(method, datamodule.example_batch()))
    if cfg.dry_run:
        return dry_run(method, datamodule)
    with ExitStack() as stack:
        if is_first_process():
            stack.enter_context(folder.locked())
            if not resuming:
                folder.check_free()  # again: another process may have had it in the meantime
            folder.open(cfg)
        stack.enter_context(explained_stops(folder))
        loggers = stack.enter_context(run_loggers(cfg, folder))
        log_data(loggers, datamodule)
        example = datamodule.example_batch()
        trainer = build_trainer(cfg, folder, loggers, method, example, test_sets=1 + len(probes) if cfg.test else 0)
        if checkpoint:  # with our messages; Lightning reads it again for the optimiser and the loops
            load_entries(method, method.entries_of(checkpoint), folder.last)
            del checkpoint
        result = _fit_and_test(cfg, folder, trainer, method, datamodule, probes, resume_from)
        if trainer.is_global_zero:
            result |= provenance(folder, datamodule)
            folder.write_metrics(result)
            report(cfg, folder, result)
    return result


def results_of_finished(cfg: DictConfig, folder: RunFolder, same_end: bool) -> dict[str, Any] | None:
    """Return what metrics.json holds if the run has nothing left to do; a damaged one is to be made again.

    Args:
        cfg: with which the run is to go on.
        folder: of the run.
        same_end: whether it is to end where it has ended.
    """
    if not folder.metrics.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(folder.metrics.read_text())
        epochs_done, steps_done = int(result["epochs"]), int(result["steps"])
    except (ValueError, TypeError, KeyError):
        console.print(f"{folder.metrics} is damaged: the test is done again", soft_wrap=True)
        return None
    epochs, steps = cfg.trainer.max_epochs, cfg.trainer.max_steps
    trained = same_end or any(
        limit is not None and 0 <= limit <= done for limit, done in ((epochs, epochs_done), (steps, steps_done))
    )
    tested = not cfg.test or {OWN, *asked_probes(cfg)} <= set(result.get("scores", {}))
    return result if trained and tested else None


def report(cfg: DictConfig, folder: RunFolder, result: dict[str, Any]) -> None:
    """Print the closing table, and what to do with the run."""
    if "scores" in result:
        say_scores(result, f"{cfg.name}, test split, best checkpoint")
    say(f"Everything is in {folder.path}")
    say(f"As a page: avs report {shlex.quote(str(folder.path))}")


def build_datamodule(cfg: DictConfig) -> Any:
    """Build the data module of `cfg.data`.

    Raises:
        UserError: `data._target_` is no data module.
    """
    datamodule = instantiate(cfg.data, _convert_="all")
    if not isinstance(datamodule, pl.LightningDataModule):
        raise UserError(f"data._target_={cfg.data.get('_target_')} is no LightningDataModule")
    return datamodule


def initialise(method: SegmentationMethod, checkpoint: str | None) -> None:
    """Take the weights of `init.checkpoint`, and say which."""
    if checkpoint is None:
        return
    start = start_from(method, checkpoint)
    log.info("kept as built: %s; left out: %s", ", ".join(start.kept) or "none", ", ".join(start.left) or "none")
    if is_first_process():
        for line in describe_start(start, checkpoint):
            console.print(line, soft_wrap=True, markup=False)


def describe_start(start: Start, checkpoint: str) -> Iterator[str]:
    """Say what was taken from a checkpoint, and by its parts what was not."""
    counts = f"{len(start.taken)} entries taken over, {len(start.kept)} kept as built, {len(start.left)} left out"
    yield f"Starts from {checkpoint}: {counts}"
    for names, meaning in (
        (start.kept, "Not in the checkpoint, kept as built"),
        (start.left, "Of no use here, left out"),
    ):
        if names:
            parts = dict.fromkeys(re.sub(r"^(network\.(fusion\.)?\w+|\w+).*", r"\1", name) for name in names)
            yield f"{meaning}: {', '.join(parts)}"
    if start.released:
        yield "A checkpoint of the released code does not tell how its parts were used: taken as with these settings"


def dry_run(method: SegmentationMethod, datamodule: pl.LightningDataModule) -> dict[str, Any]:
    """Run one training batch through network and loss; train nothing, make no run folder (a synthetic set is drawn)."""
    datamodule.prepare_data()
    datamodule.setup("fit")
    batch = next(iter(datamodule.train_dataloader()))
    with torch.no_grad():
        terms = method.losses(method.eval()(batch), batch)
    console.print(f"One batch: {len(batch)} clips, " + ", ".join(f"{k} {v.item():.4f}" for k, v in terms.items()))
    console.print("Dry run: nothing was trained, and no run folder was made.")
    return {}


def _fit_and_test(
    cfg: DictConfig,
    folder: RunFolder,
    trainer: pl.Trainer,
    method: SegmentationMethod,
    datamodule: pl.LightningDataModule,
    probes: Mapping[str, Probe],
    resume_from: Path | None,
) -> dict[str, Any]:
    trainer.fit(method, datamodule, ckpt_path=resume_from, weights_only=True)
    cost = callback(trainer, TrainingCost).summary(method)
    result: dict[str, Any] = {
        "name": cfg.name,
        "data": cfg.data.name,
        "epochs": callback(trainer, LastCheckpoint).epochs,
        "steps": trainer.global_step,
        "train_seconds": cost["train_seconds"],
        "cost": cost,
    }
    if callback(trainer, BestCheckpoint).score is None and trainer.limit_val_batches:
        if trainer.is_global_zero:
            console.print("The training ended before its first validation: its last weights are validated")
        trainer.validate(method, datamodule=datamodule, verbose=False)
    if folder.best.exists():
        best = read_checkpoint(folder.best)
        result["best"] = {"epoch": best["epoch"] + 1, "val_miou_frame": best.get("avs_val_miou_frame")}
    if cfg.test:
        load_entries(method, method.entries_of(best), folder.best)
        result["scores"] = test_scores(trainer, method, datamodule, "test", probes)
        result["clips"] = tested_clips(method, datamodule, "test")
        result["cost"] = callback(trainer, TrainingCost).summary(method)
    return result


def callback(trainer: pl.Trainer, kind: type[C]) -> C:
    """Return the one callback of a kind."""
    return next(c for c in trainer.callbacks if isinstance(c, kind))  # type: ignore[attr-defined]


def read_config(folder: RunFolder) -> dict[str, Any]:
    """Return the configuration a run folder holds, as plain values."""
    return plain(OmegaConf.load(folder.config))
