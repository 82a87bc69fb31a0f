"""What the cells of a study have left, as a data frame: tables are made from these files alone."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pandas as pd

from avs_lightning.data.sound_names import OWN
from avs_lightning.run import Run
from avs_lightning.studies.cells.plan import Plan


def results_of(plan: Plan) -> pd.DataFrame:
    """Return a row for each cell and seed of the study's own.

    Returns:
        A column for each axis, then seed, state and the scores of the true sound as fractions (`miou_reference`, ...),
        those of each other sound as `<sound>/<score>`; `synthetic`, whether the clips were drawn (None where the run
        does not say), and the `encoder` that was trained.
    """
    states, rows = plan.states(), []
    for cell in plan.own:
        run, row = Run(cell.folder), {**cell.parameters, "seed": cell.seed, "state": str(states[cell.signature])}
        if run.is_done:
            results = run.results
            row |= {"synthetic": results.synthetic, "encoder": _encoder(run)}
            for sound, scores in results.scores.items():
                row |= {name if sound == OWN else f"{sound}/{name}": value for name, value in scores.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def _encoder(run: Run) -> str:
    config: Any = run.config
    with suppress(KeyError, TypeError):
        return str(config["encoder"]["name"])
    return ""
