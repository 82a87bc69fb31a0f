"""In which precision a run can compute on this machine."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from avs_lightning.errors import UserError
from avs_lightning.training.devices import on_cpu

ALIASES = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}
ON_CPU = ("32-true", "64-true", "bf16-mixed", "bf16-true")


def check_precision(trainer: Mapping[str, Any], training: bool) -> None:
    """See that the machine computes in the precision that is wished, and in no other in its place.

    On the CPU Lightning takes bf16-mixed for 16-mixed. Half precision alone can be tested there, not trained: the term
    that keeps Adam from dividing by zero, 1e-8, is zero in it.

    Args:
        trainer: the settings of `trainer`.
        training: whether the run trains, or else tests only.

    Raises:
        UserError: it does not.
    """
    given = str(trainer["precision"])
    if on_cpu(trainer):
        possible = ON_CPU if training else (*ON_CPU, "16-true")
        if ALIASES.get(given, given) not in possible:
            work = "trains" if training else "tests"
            raise UserError(f"trainer.precision={given} needs a GPU: the CPU {work} in {', '.join(possible)}")
    elif given.startswith("transformer-engine") and not find_spec("transformer_engine"):
        raise UserError(f"trainer.precision={given} needs the package transformer_engine, which is not installed")
