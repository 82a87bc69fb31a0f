"""Every setting of `avs train` and `avs eval`, with the kind of value that it takes. What it means says `conf/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import avs_lightning.methods
from avs_lightning.kinds import (
    ANYTHING,
    FLAG,
    PATH,
    TEXT,
    Kind,
    choice,
    either,
    many,
    mapping,
    number,
    optional,
    pattern,
    whole,
)  # fmt: skip

SEED = whole(0, 2**32 - 1)
CLIPS = whole(0, 10**6)
SIZE = whole(32, 4096)
LIMIT = optional(either(whole(0), number(0.0, 1.0)))  # so many batches, or a share of them
DURATION = either(
    pattern(r"\d+:\d\d:\d\d:\d\d", "a duration, DD:HH:MM:SS"),
    mapping(whole(0, 10**6), "weeks", "days", "hours", "minutes", "seconds", "milliseconds"),
)
COUNT = whole(1, 10**9)

GENERAL = {
    "name": TEXT,
    "seed": SEED,
    "study": optional(TEXT),
    "probes": optional(either(TEXT, many(TEXT))),
    "probe_sounds": optional(PATH),
    "dry_run": FLAG,
    "resume": optional(PATH),
    "test": FLAG,
    "checkpoint": PATH,
    "split": choice("train", "val", "test"),
    "paths.data_dir": PATH,
    "paths.runs_dir": PATH,
    "paths.output_dir": PATH,
    "init.checkpoint": optional(PATH),
    "init.parent": mapping(many(TEXT)),
}
DATA = {
    "data._target_": TEXT,
    "data.name": TEXT,
    "data.root": PATH,
    "data.image_size": SIZE,
    "data.batch_size": whole(1, 10**6),
    "data.eval_batch_size": whole(1, 10**6),
    "data.workers": whole(0, 256),
    "data.persistent_workers": FLAG,
    "data.pin_memory": either(FLAG, choice("auto")),
    "data.audio": choice("auto", "wav", "log_mel"),
    "data.partition": choice("official", "by_source"),
    "data.partition_seed": SEED,
    "data.limit": optional(COUNT),
    "data.seed": SEED,
    "data.synthetic.clips.train": CLIPS,
    "data.synthetic.clips.val": CLIPS,
    "data.synthetic.clips.test": CLIPS,
    "data.synthetic.categories": optional(either(whole(1), many(TEXT))),
    "data.synthetic.seed": SEED,
    "data.synthetic.switching": FLAG,
    "data.synthetic.videos": FLAG,
    "data.synthetic.workers": optional(whole(0, 256)),
    "data.synthetic.progress": FLAG,
}
METHOD = {
    "label": TEXT,
    "method._target_": TEXT,
    "optimizer._target_": TEXT,
    "optimizer.lr": number(above=0),
    "optimizer.weight_decay": number(0),
    "schedule.name": choice("constant", "cosine", "linear"),
    "schedule.warmup_steps": whole(0, 10**9),
}
TRAINER = {  # Lightning's arguments, by their own names
    "trainer.accelerator": choice("auto", "cpu", "gpu", "cuda", "mps", "tpu"),
    "trainer.strategy": TEXT,
    "trainer.devices": either(
        whole(1, 10**4), choice("auto", -1), pattern(r"-1|\d+(, *\d*)*", "ids, 0,1"), many(whole(0, 10**4))
    ),
    "trainer.num_nodes": whole(1, 10**4),
    "trainer.precision": choice(
        "32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true", "transformer-engine",
        "transformer-engine-float16", "16", "bf16", "32", "64", 16, 32, 64,
    ),
    "trainer.fast_dev_run": either(FLAG, whole(1, 10**9)),
    "trainer.max_epochs": optional(whole(-1, 10**9)),
    "trainer.min_epochs": optional(whole(0, 10**9)),
    "trainer.max_steps": optional(whole(-1, 10**12)),
    "trainer.min_steps": optional(whole(0, 10**12)),
    "trainer.max_time": optional(DURATION),
    "trainer.limit_train_batches": LIMIT,
    "trainer.limit_val_batches": LIMIT,
    "trainer.limit_test_batches": LIMIT,
    "trainer.limit_predict_batches": LIMIT,
    "trainer.overfit_batches": LIMIT,
    "trainer.val_check_interval": optional(either(whole(1, 10**9), number(0.0, 1.0), DURATION)),
    "trainer.check_val_every_n_epoch": optional(COUNT),
    "trainer.num_sanity_val_steps": optional(whole(-1, 10**9)),
    "trainer.log_every_n_steps": optional(whole(0, 10**9)),
    "trainer.enable_checkpointing": optional(FLAG),
    "trainer.enable_progress_bar": FLAG,
    "trainer.accumulate_grad_batches": COUNT,
    "trainer.gradient_clip_val": optional(number(0)),
    "trainer.gradient_clip_algorithm": optional(choice("norm", "value")),
    "trainer.deterministic": optional(either(FLAG, choice("warn"))),
    "trainer.benchmark": optional(FLAG),
    "trainer.inference_mode": FLAG,
    "trainer.profiler": optional(choice("simple", "advanced", "pytorch", "xla")),
    "trainer.detect_anomaly": FLAG,
    "trainer.sync_batchnorm": FLAG,
    "trainer.reload_dataloaders_every_n_epochs": whole(0, 10**9),
    "trainer.model_registry": optional(TEXT),
    "trainer.enable_autolog_hparams": FLAG,
}  # fmt: skip
RECORDS = {
    "callbacks.checkpoint.monitor": TEXT,
    "callbacks.checkpoint.mode": choice("max", "min"),
    "callbacks.pictures.clips": CLIPS,
    "callbacks.pictures.every_n_epochs": COUNT,
    "callbacks.clips.count": CLIPS,
    "callbacks.learning_rate.logging_interval": choice("step", "epoch"),
    "logger.wandb.project": optional(TEXT),
    "logger.wandb.entity": optional(TEXT),
    "logger.wandb.group": optional(TEXT),
    "logger.wandb.name": optional(TEXT),
    "logger.wandb.job_type": optional(TEXT),
    "logger.wandb.tags": optional(many(TEXT)),
    "logger.wandb.notes": optional(TEXT),
    "logger.wandb.dir": optional(PATH),
    "logger.wandb.mode": optional(choice("online", "offline", "disabled")),
    "logger.wandb.log_model": FLAG,
}
LAUNCHER = {
    "launcher.name": choice("local", "parallel", "slurm"),
    "launcher.other_code": choice("refuse", "keep", "retrain"),
    "launcher.jobs": optional(whole(1, 10**4)),
    "launcher.partition": optional(TEXT),
    "launcher.account": optional(TEXT),
    "launcher.qos": optional(TEXT),
    "launcher.constraint": optional(TEXT),
    "launcher.exclude": optional(TEXT),
    "launcher.comment": optional(TEXT),
    "launcher.timeout_min": COUNT,
    "launcher.cpus_per_task": optional(COUNT),
    "launcher.mem_gb": optional(number(above=0)),
    "launcher.gpus_per_node": optional(either(whole(0, 10**4), TEXT)),
    "launcher.gpus_per_task": optional(either(whole(0, 10**4), TEXT)),
    "launcher.gres": optional(TEXT),
    "launcher.cpus_per_gpu": optional(COUNT),
    "launcher.mem_per_gpu": optional(TEXT),
    "launcher.mem_per_cpu": optional(TEXT),
    "launcher.additional_parameters": mapping(ANYTHING),
    "launcher.setup": optional(many(TEXT)),
    "launcher.array_parallelism": COUNT,
    "launcher.max_num_timeout": whole(0, 10**9),
    "launcher.signal_delay_s": whole(0, 10**9),
    "launcher.stderr_to_stdout": FLAG,
}


def of_methods() -> Iterator[ModuleType]:
    """Yield the module `settings` of each method that has one: `SETTINGS`, and the resolvers of its configuration."""
    for folder in iter_modules(avs_lightning.methods.__path__, "avs_lightning.methods."):
        if folder.ispkg and find_spec(f"{folder.name}.settings"):
            yield import_module(f"{folder.name}.settings")


def method_resolvers() -> dict[str, Callable[..., Any]]:
    """Return the resolvers that the configurations of methods name."""
    return {name: resolver for module in of_methods() for name, resolver in module.RESOLVERS.items()}


SETTINGS: dict[str, Kind] = {**GENERAL, **DATA, **METHOD, **TRAINER, **RECORDS, **LAUNCHER}
for settings in of_methods():
    SETTINGS |= settings.SETTINGS
OWN_TRAINER = (
    "logger", "callbacks", "plugins", "default_root_dir", "use_distributed_sampler", "enable_model_summary",
    "barebones",
)  # fmt: skip
"""Arguments of Lightning's Trainer that `avs` gives itself."""
