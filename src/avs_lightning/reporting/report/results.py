"""What one run of a report has to show, as plain numbers."""

import math
import shlex
from dataclasses import dataclass
from typing import Any

from avs_lightning.data.sound_names import OWN
from avs_lightning.reporting.report.report import ReportRun
from avs_lightning.run import CONFIG, ENVIRONMENT, METRICS, PROGRESS
from avs_lightning.run_files import RunFiles

COSTS = ("train_seconds", "clips_per_second", "peak_memory_mib", "parameters", "trained_parameters")
CLIP_SCORES = ("miou", "fscore", "false_positive_rate")
LOG_LINES = 40


@dataclass(frozen=True)
class RunResults:
    """One run, read from its folder; whatever is missing is empty.

    Attributes:
        run: the run.
        label: its name, with the seed.
        data: name of the data set.
        fingerprint: of the data.
        synthetic: whether the clips are drawn; None where the run does not say.
        scores: by sound the scores by `metric_protocol`, as fractions.
        cost: `COSTS`, in the units of their names, and "epochs".
        curves: (epoch from 1, value) of the training "loss" and of each validation score, by its name.
        clips: rows of clips.csv, by clip id.
        chosen: entries of clips/index.json.
        settings: what it was trained with, where and on what: the configuration, the machine, the data, as a tree.
        command: as it was given.
        started: when, ISO 8601.
        log: the last lines of run.log.
        fraction: how much of a running one is done, in [0, 1].
        files: its files, with what is missing and damaged.
    """

    run: ReportRun
    label: str
    data: str
    fingerprint: str
    synthetic: bool | None
    scores: dict[str, dict[str, float]]
    cost: dict[str, float]
    curves: dict[str, list[tuple[int, float]]]
    clips: dict[str, dict[str, str]]
    chosen: list[dict[str, Any]]
    settings: dict[str, Any]
    command: str
    started: str
    log: str
    fraction: float | None
    files: RunFiles

    def score(self, metric: str, sound: str = OWN) -> float | None:
        """Return one score, such as `miou_frame`, with a sound."""
        return self.scores.get(sound, {}).get(metric)

    def categories(self) -> dict[str, dict[str, float]]:
        """Return by category the mean scores of its test clips, protocol `frame`; empty where clips have none."""
        found: dict[str, dict[str, list[float]]] = {}
        for row in self.clips.values():
            for score in CLIP_SCORES:
                value = number(row.get(score))
                if row.get("category") and value is not None:
                    found.setdefault(row["category"], {}).setdefault(score, []).append(value)
        return {
            category: {score: sum(values) / len(values) for score, values in scores.items()}
            for category, scores in sorted(found.items())
        }


def read_results(runs: list[ReportRun]) -> list[RunResults]:
    """Read the folders of runs."""
    return [_read(run) for run in runs]


def number(value: Any) -> float | None:
    """Return a finite number from JSON or CSV, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        converted = float(value)
    except (ValueError, OverflowError):
        return None
    return converted if math.isfinite(converted) else None


def _read(run: ReportRun) -> RunResults:
    files = RunFiles(run.folder)
    metrics = files.mapping(METRICS)
    config, environment = files.mapping(CONFIG), files.mapping(ENVIRONMENT)
    progress = RunFiles(run.folder).mapping(PROGRESS) if run.state == "running" else {}
    data = _mapping(config.get("data"))
    synthetic, command = metrics.get("synthetic"), environment.get("command")
    return RunResults(
        run=run,
        label=f"{run.cell}, seed {run.seed}",
        data=str(metrics.get("data") or data.get("name") or ""),
        fingerprint=str(metrics.get("fingerprint") or ""),
        # runs of earlier versions do not say it, but those on a set that was drawn for them have its settings
        synthetic=synthetic if isinstance(synthetic, bool) else ("synthetic" in data or None),
        scores={str(sound): _numbers(values) for sound, values in _mapping(metrics.get("scores")).items()},
        cost={name: value for name, value in _numbers(metrics | _mapping(metrics.get("cost"))).items()
              if name in (*COSTS, "epochs")},
        curves=_curves(files.rows("metrics.csv", "step")),
        clips={row["id"]: row for row in files.rows("clips.csv", "id") if row.get("id")},
        chosen=files.entries("clips/index.json"),
        settings=_settings(config, environment, metrics),
        command=shlex.join(map(str, command)) if isinstance(command, list) else "",
        started=str(environment.get("started") or ""),
        log="\n".join(files.text("run.log").splitlines()[-LOG_LINES:]),
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


def _curves(log: list[dict[str, str]]) -> dict[str, list[tuple[int, float]]]:
    """The last value of each epoch, so that an epoch which a resumed run did again counts once."""
    epochs = [number(row.get("epoch")) for row in log]
    first = 1 if 0 in epochs else 0  # earlier versions counted from zero
    curves: dict[str, dict[int, float]] = {}
    for epoch, row in zip(epochs, log):
        for column, text in row.items():
            name = "loss" if column == "train/loss_epoch" else column.removeprefix("val/")
            if epoch is None or name == column or (value := number(text)) is None:
                continue
            curves.setdefault(name, {})[int(epoch) + first] = value
    return {name: sorted(points.items()) for name, points in curves.items()}
