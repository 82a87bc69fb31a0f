"""What a run that goes on has to keep, what it may take anew, and what would let it go on."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from avs_lightning.data.sound_names import OWN
from avs_lightning.errors import UserError
from avs_lightning.reporting.console import console
from avs_lightning.run import Results, Run
from avs_lightning.run.names import METRICS
from avs_lightning.training.signature import holder, leaves, relevant_settings

LIMITS = ("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time")
"""Settings of the trainer that end a training; a run goes on with others, since they change no step."""
TOGETHER = {
    "global_batch": ("data.batch_size", "trainer.devices", "trainer.num_nodes"),
    "starts_from": ("init.checkpoint",),
}
"""Which settings `relevant_settings` has brought together."""


def finished_result(run: Run, config: Mapping[str, Any], sounds: Collection[str]) -> Results | None:
    """See that a run may go on; return its results if it has nothing left to do, and say what would be.

    Args:
        run: that is to go on.
        config: with which it is to go on, plain values.
        sounds: with which it is to be tested, besides the true one.

    Raises:
        UserError: it may not, see `check_resume`.
    """
    if not run.is_begun:
        return None
    stored, results = run.config, run.results
    check_resume(stored, config, run.folder)
    epochs, steps = results.epochs, results.steps
    if epochs is None or steps is None:
        if (run.folder / METRICS).exists():
            console.print(f"{run.folder / METRICS} is damaged: the test is done again", soft_wrap=True)
        return None
    limits = ((config["trainer"]["max_epochs"], epochs), (config["trainer"]["max_steps"], steps))
    trained = same_limits(stored, config) or any(limit is not None and 0 <= limit <= count for limit, count in limits)
    if not trained or (config["test"] and not {OWN, *sounds} <= set(results.scores)):
        return None
    more = longer(config["trainer"], epochs, steps)
    console.print(f"{run.folder} is done; with {more} it would go on", soft_wrap=True)
    return results


def check_resume(stored: Mapping[str, Any], config: Mapping[str, Any], folder: Path) -> None:
    """See that a run with a checkpoint goes on as it began, but for its limits and what cannot change its result.

    Args:
        stored: the run's resolved configuration, plain values.
        config: with which it is to go on.
        folder: of the run.

    Raises:
        UserError: names the settings that cannot take effect, with what they were and what was given.
    """
    changed = list(_changed(stored, config))
    if changed:
        listed = ", ".join(f"{key}={_value(config, key)} (was {_value(stored, key)})" for key in changed)
        raise UserError(
            f"{listed}: the run in {folder} goes on as it began, so that this cannot take effect; leave it out, or "
            f"begin a new run from its weights: init.checkpoint={folder}/checkpoints/best.ckpt"
        )
    schedule = holder(config, "schedule.name")[0].get("name", "constant")
    limits = [key for key in ("trainer.max_epochs", "trainer.max_steps") if _value(stored, key) != _value(config, key)]
    if limits and schedule != "constant":
        raise UserError(
            f"{limits[0]}={_value(config, limits[0])} (was {_value(stored, limits[0])}): "
            f"schedule.name={schedule} spans the whole training, and the epochs before had the learning "
            f"rates of the shorter one; begin a new run, or one from these weights: "
            f"init.checkpoint={folder}/checkpoints/best.ckpt"
        )


def same_limits(stored: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Say whether a run is to end where it was to end before."""
    return all(stored["trainer"].get(name) == config["trainer"].get(name) for name in LIMITS)


def longer(trainer: Mapping[str, Any], epochs: int, steps: int) -> str:
    """Return the settings with which a run that has reached its limits would go on."""
    limits = [
        f"trainer.{name}={2 * count}"
        for name, count in (("max_epochs", epochs), ("max_steps", steps))
        if 0 <= (-1 if trainer.get(name) is None else trainer[name]) <= count
    ]
    return " ".join(limits) or "a longer trainer.max_time"


def _changed(stored: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    before, now = (dict(leaves(relevant_settings(settings))) for settings in (stored, config))
    for key in {**before, **now}:
        may_differ = key in {f"trainer.{name}" for name in LIMITS}
        if not may_differ and before.get(key) != now.get(key):
            for part in TOGETHER.get(key, (key,)):
                if _value(stored, part) != _value(config, part):
                    yield part
    for key in ("paths.data_dir", "paths.runs_dir"):  # what follows from them is there by itself: data.root
        if _value(stored, key) != _value(config, key):
            yield key


def _value(config: Mapping[str, Any], key: str) -> Any:
    node, last = holder(config, key)
    return node.get(last)
