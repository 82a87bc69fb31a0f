"""The main job: train, then test the best checkpoint."""

import shlex
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from avs_lightning.data import ClipDataModule
from avs_lightning.data.probes import chosen_probes
from avs_lightning.methods import SegmentationMethod
from avs_lightning.methods.building import build_method
from avs_lightning.methods.loading import read_checkpoint
from avs_lightning.models.weights import load_entries
from avs_lightning.reporting.console import console, is_first_process, say
from avs_lightning.reporting.tables import network_table
from avs_lightning.run import Results, Run
from avs_lightning.targets import build
from avs_lightning.training.callbacks import build_callbacks, callbacks_of
from avs_lightning.training.checkpoints import BestCheckpoint, LastCheckpoint
from avs_lightning.training.cost import TrainingCost
from avs_lightning.training.evaluate import provenance, say_scores, test_scores, tested_clips
from avs_lightning.training.record import open_record
from avs_lightning.training.resuming import finished_result
from avs_lightning.training.start import initialise
from avs_lightning.training.trainer import build_trainer, check_settings, plain


def train(cfg: DictConfig) -> Results:
    """Train as configured and return what metrics.json holds.

    Raises:
        UserError: anything that the user can mend: configuration, data, checkpoints, disk.
    """
    config, run = plain(cfg), Run(Path(cfg.paths.output_dir).resolve())
    probes = chosen_probes(cfg.probes, cfg.probe_sounds) if cfg.test else {}
    check_settings(config)
    if cfg.resume and (results := finished_result(run, config, probes)):
        report(results, run)
        return results
    if is_first_process() and not (cfg.resume or cfg.dry_run):
        run.check_free()
    resume_from = run.last if cfg.resume and run.last.exists() else None

    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = build(config["data"], "data", ClipDataModule)  # type: ignore[type-abstract]
    datamodule.check()
    checkpoint = read_checkpoint(resume_from) if resume_from else None
    with console.status("building the network (pretrained weights are fetched on first use)"):
        method = build_method(config, datamodule, checkpoint)
    if checkpoint is None:
        initialise(method, cfg.init.checkpoint)
    sounds = 1 + len(probes) if cfg.test else 0
    callbacks = build_callbacks(config["callbacks"], method, sounds, True, cfg.trainer.enable_progress_bar)
    if is_first_process():
        console.print(network_table(method, datamodule.example_batch()))
    if cfg.dry_run:
        dry_run(method, datamodule)
        return Results()

    with open_record(cfg, run, datamodule) as loggers:
        idle = lambda: method.idle_parameters(datamodule.example_batch())  # noqa: E731
        trainer = build_trainer(config["trainer"], run.folder, loggers, callbacks, idle)
        if checkpoint:  # with our messages; Lightning reads it again for the optimiser and the loops
            load_entries(method, method.entries_of(checkpoint), run.last)
            del checkpoint
        result = {"name": cfg.name, "data": datamodule.name, **fit(trainer, method, datamodule, run, resume_from)}
        if cfg.test:
            load_entries(method, method.entries_of(read_checkpoint(run.best)), run.best)
            result["scores"] = test_scores(trainer, method, datamodule, "test", probes)
            result["clips"] = tested_clips(method, datamodule, "test")
            result["cost"] = cost(trainer, method)
        results = Results(**result, **provenance(run, datamodule))
        if trainer.is_global_zero:
            run.finish(results)
            report(results, run)
    return results


def fit(
    trainer: pl.Trainer,
    method: SegmentationMethod,
    datamodule: pl.LightningDataModule,
    run: Run,
    resume_from: Path | None,
) -> dict[str, Any]:
    """Train to the end, and to one validation at least, and return what metrics.json says of it."""
    trainer.fit(method, datamodule, ckpt_path=resume_from, weights_only=True)
    (last,) = callbacks_of(trainer, LastCheckpoint)
    result: dict[str, Any] = {"epochs": last.epochs, "steps": trainer.global_step, "cost": cost(trainer, method)}
    if trainer.limit_val_batches and any(best.score is None for best in callbacks_of(trainer, BestCheckpoint)):
        if trainer.is_global_zero:
            console.print("The training ended before its first validation: its last weights are validated")
        trainer.validate(method, datamodule=datamodule, verbose=False)
    if run.best.exists():
        best = read_checkpoint(run.best)
        result["best"] = {"epoch": best["epoch"] + 1, "val_miou_frame": best.get("avs_val_miou_frame")}
    return result


def cost(trainer: pl.Trainer, method: SegmentationMethod) -> dict[str, Any]:
    """Return what the run has cost so far."""
    (counted,) = callbacks_of(trainer, TrainingCost)
    return counted.summary(method)


def report(results: Results, run: Run) -> None:
    """Print the closing table, and what to do with the run."""
    if results.scores:
        say_scores(results, f"{results.name}, test split, best checkpoint")
    say(f"Everything is in {run.folder}")
    say(f"As a page: avs report {shlex.quote(str(run.folder))}")


def dry_run(method: SegmentationMethod, datamodule: pl.LightningDataModule) -> None:
    """Run one training batch through network and loss; train nothing, make no run folder (a synthetic set is drawn)."""
    datamodule.prepare_data()
    datamodule.setup("fit")
    batch = next(iter(datamodule.train_dataloader()))
    with torch.no_grad():
        terms = method.losses(method.eval()(batch), batch)
    console.print(f"One batch: {len(batch)} clips, " + ", ".join(f"{k} {v.item():.4f}" for k, v in terms.items()))
    console.print("Dry run: nothing was trained, and no run folder was made.")
