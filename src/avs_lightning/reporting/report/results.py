"""What one run of a report has to show, as plain numbers."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avs_lightning.data.sound_names import OWN
from avs_lightning.metrics.names import SCORES
from avs_lightning.reporting.report.report import ReportRun
from avs_lightning.run import Run, RunFiles
from avs_lightning.run.names import CLASS_SCORES, CLIP_INDEX, CLIP_SCORES, CONFIG, ENVIRONMENT, HISTORY, LOG, METRICS
from avs_lightning.run.results import Results, number, numbers

COSTS = ("train_seconds", "clips_per_second", "peak_memory_mib", "parameters", "trained_parameters")
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
        classes: of several classes, by name in their order, what each scores; protocol `frame`.
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
    scores: Mapping[str, Mapping[str, float]]
    cost: dict[str, float]
    curves: dict[str, list[tuple[int, float]]]
    clips: dict[str, dict[str, str]]
    classes: dict[str, dict[str, float]]
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
        """Return by category the mean scores of its test clips, protocol `frame`; empty where clips have none.

        Of several classes: the scores of each.
        """
        if self.classes:
            return {name: scores for name, scores in self.classes.items() if scores}
        found: dict[str, dict[str, list[float]]] = {}
        for row in self.clips.values():
            for score in SCORES:
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


def _read(run: ReportRun) -> RunResults:
    files = RunFiles(run.folder)
    results = Results.read(files.mapping(METRICS))
    config, environment = files.mapping(CONFIG), files.mapping(ENVIRONMENT)
    progress = Run(run.folder).progress if run.state == "running" else None
    data, command = _mapping(config.get("data")), environment.get("command")
    return RunResults(
        run=run,
        label=f"{run.cell}, seed {run.seed}",
        data=results.data or str(data.get("name") or ""),
        fingerprint=results.fingerprint,
        synthetic=results.synthetic if results.synthetic is not None else ("synthetic" in data or None),
        scores=results.scores,
        cost={name: value for name, value in numbers({**results.cost, "epochs": results.epochs}).items()
              if name in (*COSTS, "epochs")},
        curves=_curves(files.rows(HISTORY, "step")),
        clips={row["id"]: row for row in files.rows(CLIP_SCORES, "id") if row.get("id")},
        classes=_classes(files) if (run.folder / CLASS_SCORES).exists() else {},
        chosen=files.entries(CLIP_INDEX),
        settings=_settings(config, environment, results),
        command=shlex.join(map(str, command)) if isinstance(command, list) else "",
        started=str(environment.get("started") or ""),
        log="\n".join(files.text(LOG).splitlines()[-LOG_LINES:]),
        fraction=progress.fraction if progress else None,
        files=files,
    )  # fmt: skip


def _settings(config: dict[str, Any], environment: dict[str, Any], results: Results) -> dict[str, Any]:
    shown = ("python", "platform", "cores", "memory_gib", "gpus", "packages", "code")
    settings = dict(config)
    if environment:
        settings |= {"environment": {name: environment[name] for name in shown if name in environment}}
    if results.fingerprint:
        settings |= {"data set's fingerprint": results.fingerprint}
    return settings


def _classes(files: RunFiles) -> dict[str, dict[str, float]]:
    return {
        row["class"]: numbers({"miou": row.get("iou"), "fscore": row.get("fscore")})
        for row in files.rows(CLASS_SCORES, "class")
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
