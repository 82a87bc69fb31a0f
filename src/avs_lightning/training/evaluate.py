"""Evaluation of a checkpoint, with the true sound and with false ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from avs_lightning.data import ClipDataModule
from avs_lightning.data.fingerprint import data_identity
from avs_lightning.data.metadata import SPLITS
from avs_lightning.data.probes import Probe, ProbedDataset, chosen_probes
from avs_lightning.data.sound_names import OWN
from avs_lightning.errors import UserError, choose, shortened
from avs_lightning.methods import SegmentationMethod
from avs_lightning.methods.loading import is_released, read_checkpoint, rebuild
from avs_lightning.reporting.console import console, is_first_process, say
from avs_lightning.reporting.tables import network_table, scores_table
from avs_lightning.reporting.verdict import verdict
from avs_lightning.run import Results, Run
from avs_lightning.targets import build
from avs_lightning.training.callbacks import build_callbacks
from avs_lightning.training.precision import check_precision
from avs_lightning.training.record import open_record
from avs_lightning.training.trainer import build_trainer, plain


def evaluate(cfg: DictConfig) -> Results:
    """Test `cfg.checkpoint` on `cfg.split` and return what metrics.json holds.

    Raises:
        UserError: anything that the user can mend: the checkpoint, the data, the configuration.
    """
    if OmegaConf.is_missing(cfg, "checkpoint") or not cfg.checkpoint:
        raise UserError("checkpoint has to be given: avs eval checkpoint=FILE")
    if not cfg.get("data"):
        raise UserError("this checkpoint does not say what it was trained on: name a data set (data=s4, data=ms3, ...)")
    choose(cfg.split, SPLITS, "split")
    config, run = plain(cfg), Run(Path(cfg.paths.output_dir).resolve())
    check_precision(config["trainer"], training=False)
    probes = chosen_probes(cfg.probes, cfg.probe_sounds)
    if is_first_process():
        run.check_free()

    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = build(config["data"], "data", ClipDataModule)  # type: ignore[type-abstract]
    datamodule.check(cfg.split)
    method = checkpoint_method(cfg)
    check_classes(method, datamodule, cfg.checkpoint)
    bar = cfg.trainer.enable_progress_bar
    callbacks = build_callbacks(config["callbacks"], method, 1 + len(probes), training=False, progress_bar=bar)
    if is_first_process():
        console.print(network_table(method, datamodule.example_batch()))

    with open_record(cfg, run, datamodule) as loggers:
        trainer = build_trainer(config["trainer"], run.folder, loggers, callbacks)
        results = Results(
            name=cfg.name,
            data=str(datamodule.name),
            split=cfg.split,
            checkpoint=str(cfg.checkpoint),
            scores=test_scores(trainer, method, datamodule, cfg.split, probes),
            clips=tested_clips(method, datamodule, cfg.split),
            **provenance(run, datamodule),
        )
        if trainer.is_global_zero:
            run.finish(results)
            say_scores(results, f"{Path(cfg.checkpoint).name}, {cfg.split} split of {datamodule.name}")
            say(f"Everything is in {run.folder}")
    return results


def check_classes(method: SegmentationMethod, datamodule: ClipDataModule, checkpoint: str) -> None:
    """See that a checkpoint was trained for the classes that the data have.

    Raises:
        UserError: it was trained for others.
    """
    if method.classes != datamodule.classes:
        trained, found = (", ".join(shortened(classes, 6)) for classes in (method.classes, datamodule.classes))
        raise UserError(
            f"checkpoint={checkpoint} tells apart {len(method.classes)} classes ({trained}), and the data in "
            f"{datamodule.hparams['root']} have {len(datamodule.classes)} ({found}): choose data with the same classes "
            "in the same order, or a checkpoint trained on these"
        )


def checkpoint_method(cfg: DictConfig) -> SegmentationMethod:
    """Rebuild the method of `cfg.checkpoint`, and put into `cfg` what is known of it.

    Raises:
        UserError: the file is no checkpoint of a network, or `cfg` contradicts it.
    """
    content, groups = read_checkpoint(cfg.checkpoint), plain(cfg)
    method = rebuild(content, cfg.checkpoint, groups)
    settings, note = method.reconcile(groups, is_released(content))
    for key, value in settings.items():
        OmegaConf.update(cfg, key, value)
    if note and is_first_process():
        say(note)
    return method


def say_scores(results: Results, tested: str) -> None:
    """Print the closing table, what it says in words, and that it saw a part of the split where it did.

    Args:
        results: of the test.
        tested: what was tested on what.
    """
    clips = results.clips
    cut = clips and clips["scored"] < clips["split"]
    counted = f"{clips['scored']}{' of ' + str(clips['split']) if cut else ''} clips" if clips else ""
    say(scores_table(results.scores, ", ".join(filter(None, (tested, counted)))))
    if words := verdict(results.scores):
        say(f"The network {words}.")
    if cut:
        say(
            f"Only {clips['scored']} of {clips['split']} clips were scored (debug=fast, trainer.limit_test_batches or "
            "data.limit): a try-out, not a result."
        )


def provenance(run: Run, datamodule: Any) -> dict[str, Any]:
    """Return what metrics.json says about where its numbers come from; nothing but in the first process."""
    if not is_first_process():
        return {}
    code = run.environment["code"]  # as it was at the start: sources may have been edited
    return {**data_identity(datamodule), "code": code}


def tested_clips(method: SegmentationMethod, datamodule: Any, split: str) -> dict[str, int]:
    """Return how many clips the test has "scored", and how many the "split" has where nothing limits it."""
    dataset = datamodule.dataset(split)
    scored = next(iter(method.clip_scores.values()))
    return {"scored": len(scored.indices), "split": getattr(dataset, "available", len(dataset))}


def test_scores(
    trainer: pl.Trainer, method: SegmentationMethod, datamodule: Any, split: str, probes: Mapping[str, Probe]
) -> dict[str, dict[str, float]]:
    """Test with the true sound and with each probe; a lone clip has no other to be `swapped` with.

    Returns:
        Per set of sounds ("true", then the probes) the scores by `metric_protocol`.
    """
    datamodule.prepare_data()
    datamodule.setup("test" if split == "test" else "fit")
    dataset = datamodule.dataset(split)
    if len(dataset) < 2 and "swapped" in probes:
        probes = {name: probe for name, probe in probes.items() if name != "swapped"}
        if is_first_process():
            console.print(f"The {split} split has one clip, and no other's sound: without the probe swapped")
    names = [OWN, *probes]
    method.set_test_sets([split if name == OWN else f"{split}_{name}" for name in names])
    loaders = [
        datamodule.eval_dataloader(dataset if name == OWN else ProbedDataset(dataset, probes[name])) for name in names
    ]
    trainer.test(method, loaders, verbose=False)
    return dict(zip(names, method.results.values(), strict=True))
