"""Values of the wrong kind, found before anything is built: by the kinds of the defaults."""

import re
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from avs_lightning.errors import UserError

KINDS: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    list: ("a list, [...],", (list,)),
    dict: ("settings, {name: value, ...},", (dict,)),
}
WIDER = {"trainer.devices", "trainer.deterministic"}  # auto, [0, 1]; warn


def check_values(cfg: DictConfig) -> None:
    """Compare a composed configuration with the same one without the values that the user gave.

    null is allowed everywhere, and so is anything where the default is null or text.

    Raises:
        UserError: a value is of another kind than its default.
    """
    job = HydraConfig.get()
    groups = [text for text in job.overrides.task if re.sub(r"^\+|@.*|=.*", "", text) in job.runtime.choices]
    loader = GlobalHydra.instance().config_loader()
    defaults = loader.load_configuration(job.job.config_name, groups, RunMode.RUN)
    OmegaConf.set_struct(defaults, False)
    defaults.pop("hydra")
    compare(_plain(defaults), _plain(cfg))


def compare(defaults: Any, given: Any, key: str = "") -> None:
    """Raise for the first value that is of another kind than its default."""
    if isinstance(defaults, dict) and isinstance(given, dict):
        for name, value in defaults.items():
            if name in given:
                compare(value, given[name], f"{key}.{name}".lstrip("."))
        return
    kind, allowed = KINDS.get(type(defaults), ("", ()))
    wrong = not isinstance(given, allowed) or (isinstance(given, bool) and bool not in allowed)
    if allowed and given is not None and key not in WIDER and wrong:
        raise UserError(f"{key}={given}: {kind} is needed here, like the default {defaults}")


def _plain(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=True)
