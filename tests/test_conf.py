"""Every option of every group: it composes, builds what it names, and the network it leads to takes a step."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_module
from pytorch_lightning.loggers import Logger
from tests.networks import tiny_avs
from torch.utils.data import DataLoader

from avs_lightning.cli.groups import CONFIG_MODULE, groups_of
from avs_lightning.cli.hydra_app import set_up_hydra
from avs_lightning.cli.sweep import compose
from avs_lightning.data import ClipBatch, ClipDataModule, MultiSourceDataset, collate_clips
from avs_lightning.data.synthetic import write_dataset
from avs_lightning.methods.building import build_method
from avs_lightning.targets import build, build_parts
from avs_lightning.training.callbacks import build_callbacks
from avs_lightning.training.metrics_csv import MetricsCSV
from avs_lightning.training.trainer import build_trainer, check_settings, plain

SMALL = {"data": "synthetic_ms3", "encoder": "test_resnet", "audio_encoder": "small", "fusion": "stage4"}
"""What is chosen in the other groups."""
SIZE = 64
ELSEWHERE = ("tensorboard",)
"""Options for which another package has to be installed."""


def options_of(command: str) -> Iterator[Any]:
    for group, options in groups_of(command).items():
        yield from (pytest.param(group, option, id=f"{group}={option}") for option in options)


def composed(command: str, group: str, option: str, folder: Path, *more: str) -> dict[str, Any]:
    small = {name: choice for name, choice in SMALL.items() if name in groups_of(command)}
    words = [f"{name}={choice}" for name, choice in {**small, group: option}.items()]
    words += [f"paths.output_dir={folder}", "trainer.accelerator=cpu", *more]
    set_up_hydra(words)
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        return plain(compose(command, words).config)


def loggers(config: dict[str, Any], folder: Path) -> list[Logger]:
    named = {name: node for name, node in config["logger"].items() if name not in ("wandb", *ELSEWHERE)}
    return [MetricsCSV(folder / "metrics.csv"), *build_parts(named, "logger", Logger, save_dir=folder)]


@pytest.fixture(scope="module")
def loaders(tmp_path_factory: pytest.TempPathFactory) -> list[DataLoader[ClipBatch]]:
    """A batch to train on, and one to validate."""
    root, counts = tmp_path_factory.mktemp("clips"), {"train": 2, "val": 2, "test": 1}
    write_dataset(root, "ms3", counts, size=SIZE, videos=False, progress=False)
    sets = [MultiSourceDataset(root, split, SIZE) for split in ("train", "val")]
    return [DataLoader(clips, batch_size=2, collate_fn=collate_clips) for clips in sets]


@pytest.mark.parametrize("group, option", options_of("train"))
def test_a_training_takes_a_step(
    group: str, option: str, loaders: list[DataLoader[ClipBatch]], own_folder: Callable[[Path], Path], tmp_path: Path
) -> None:
    more = {
        "callbacks=eval": ["test=false"],
        "data=folder": [f"data.root={own_folder(tmp_path / 'own')}"],
        "init=single_source": ["init.checkpoint=null"],
    }
    config = composed("train", group, option, tmp_path, f"data.image_size={SIZE}", *more.get(f"{group}={option}", []))
    check_settings(config)
    datamodule = build(config["data"], "data", ClipDataModule)
    method = build_method(config, datamodule, checkpoint={})  # with weights as drawn: nothing is fetched
    callbacks = build_callbacks(config["callbacks"], method, test_sets=1, training=True)
    trainer = build_trainer({**config["trainer"], "max_steps": 1}, tmp_path, loggers(config, tmp_path), callbacks)
    trainer.fit(method, *loaders)
    assert trainer.global_step == 1
    assert trainer.callback_metrics["train/loss"].isfinite()
    assert f"{group}={option}" == "callbacks=eval" or (tmp_path / "checkpoints" / "best.ckpt").exists()


@pytest.mark.parametrize("group, option", options_of("eval"))
def test_an_evaluation_is_built(group: str, option: str, tmp_path: Path) -> None:
    config = composed("eval", group, option, tmp_path, "checkpoint=best.ckpt")
    assert build(config["data"], "data", ClipDataModule).name
    callbacks = build_callbacks(config["callbacks"], tiny_avs(), test_sets=1, training=False)
    assert len(callbacks) >= len(config["callbacks"])
    build_trainer(config["trainer"], tmp_path, loggers(config, tmp_path), callbacks)
