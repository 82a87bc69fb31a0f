"""The folders that a configuration names, so that it means the same from wherever it is read again."""

from omegaconf import DictConfig, OmegaConf

from avs_lightning.data.layouts import absolute_root

FOLDERS = ("data.root", "probe_sounds", "logger.wandb.dir")


def name_folders_from_the_root(cfg: DictConfig) -> None:
    """Make the paths of `FOLDERS` absolute: resuming or a cell's process may start in another folder."""
    for key in FOLDERS:
        if isinstance(folder := OmegaConf.select(cfg, key, throw_on_missing=False), str):
            OmegaConf.update(cfg, key, absolute_root(folder))
