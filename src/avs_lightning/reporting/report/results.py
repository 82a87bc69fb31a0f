"""What one run of a report has to show, as plain numbers."""

import math
from dataclasses import dataclass
from typing import Any

from avs_lightning.reporting.report.report import ReportRun
from avs_lightning.reporting.report.run_files import RunFiles

TRUE = "true"
SOUNDS = {
    TRUE: "own sound",
    "muted": "muted",
    "noise": "white noise",
    "swapped": "another clip's",
    "offscreen": "off screen",
    "permuted": "permuted",
}
COSTS = ("train_seconds", "clips_per_second", "peak_memory_mib", "parameters", "trained_parameters")
SECONDS = range(1, 6)


@dataclass(frozen=True)
class RunResults:
    """One run, read from its folder; whatever is missing is empty.

    Attributes:
        run: the run.
        label: its name, with the seed where a report has several.
        scores: by sound the scores by `metric_protocol`, as fractions.
        cost: `COSTS`, in the units of their names, and "epochs".
        validation: (epoch from 1, mIoU as a fraction by protocol "frame").
        loss: (epoch from 1, mean training loss).
        clips: rows of clips.csv, by clip id.
        chosen: entries of clips/index.json.
        settings: what it was trained with, where and on what: the configuration, the machine, the data, as a tree.
        fraction: how much of a running one is done, in [0, 1].
        files: its files, with what is missing and damaged.
    """

    run: ReportRun
    label: str
    scores: dict[str, dict[str, float]]
    cost: dict[str, float]
    validation: list[tuple[int, float]]
    loss: list[tuple[int, float]]
    clips: dict[str, dict[str, str]]
    chosen: list[dict[str, Any]]
    settings: dict[str, Any]
    fraction: float | None
    files: RunFiles

    def score(self, metric: str, sound: str = TRUE) -> float | None:
        """Return one score, such as `miou_frame`, with a sound."""
        return self.scores.get(sound, {}).get(metric)

    def categories(self) -> dict[str, float]:
        """Return the mean mIoU of the test clips of each category; empty where clips have none."""
        found: dict[str, list[float]] = {}
        for row in self.clips.values():
            value = number(row.get("miou"))
            if row.get("category") and value is not None:
                found.setdefault(row["category"], []).append(value)
        return {category: sum(values) / len(values) for category, values in sorted(found.items())}


def read_results(runs: list[ReportRun]) -> list[RunResults]:
    """Read the folders of runs."""
    several_seeds = len({run.seed for run in runs}) > 1
    return [_read(run, f"{run.name}, seed {run.seed}" if several_seeds else run.name) for run in runs]


def sounds(results: list[RunResults]) -> list[str]:
    """Return the sounds that any run was tested with: the true one, the known probes, then others."""
    found = {sound for result in results for sound in result.scores}
    return [sound for sound in SOUNDS if sound in found] + sorted(found - set(SOUNDS))


def number(value: Any) -> float | None:
    """Return a finite number from JSON or CSV, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        converted = float(value)
    except (ValueError, OverflowError):
        return None
    return converted if math.isfinite(converted) else None


def _read(run: ReportRun, label: str) -> RunResults:
    files = RunFiles(run.folder)
    metrics = files.mapping("metrics.json")
    log = files.rows("metrics.csv", "step")
    environment = files.mapping("environment.json")
    progress = RunFiles(run.folder).mapping("progress.json") if run.state == "running" else {}
    return RunResults(
        run=run,
        label=label,
        scores={str(sound): _numbers(values) for sound, values in _mapping(metrics.get("scores")).items()},
        cost={name: value for name, value in _numbers(metrics | _mapping(metrics.get("cost"))).items()
              if name in (*COSTS, "epochs")},
        validation=_curve(log, "val/miou_frame"),
        loss=_curve(log, "train/loss_epoch"),
        clips={row["id"]: row for row in files.rows("clips.csv", "id") if row.get("id")},
        chosen=files.entries("clips/index.json"),
        settings=_settings(files.mapping("config.yaml"), environment, metrics),
        fraction=number(progress.get("fraction")),
        files=files,
    )  # fmt: skip


def _settings(config: dict[str, Any], environment: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    shown = ("python", "platform", "cores", "memory_gib", "gpus", "packages", "code")
    settings = dict(config)
    if environment:
        settings |= {"environment": {name: environment[name] for name in shown if name in environment}}
    if "fingerprint" in metrics:
        settings |= {"data set's fingerprint": metrics["fingerprint"]}
    return settings


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbers(values: Any) -> dict[str, float]:
    converted = {str(name): number(value) for name, value in _mapping(values).items()}
    return {name: value for name, value in converted.items() if value is not None}


def _curve(log: list[dict[str, str]], column: str) -> list[tuple[int, float]]:
    """The last value of each epoch, so that an epoch which a resumed run did again counts once."""
    points: dict[int, float] = {}
    for row in log:
        epoch, value = number(row.get("epoch")), number(row.get(column))
        if epoch is not None and value is not None:
            points[int(epoch) + 1] = value
    return sorted(points.items())
