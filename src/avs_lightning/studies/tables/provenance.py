"""Where results come from: the data, the code and the machines of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from avs_lightning.run import Run
from avs_lightning.training.signature import clip_settings


class Fingerprint(NamedTuple):
    """A hash of the clips of a data set; what was asked of the set stands behind its name where runs differ in it."""

    data: str
    value: str

    def __str__(self) -> str:
        return " ".join(filter(None, self))


class Code(NamedTuple):
    """A version of the package, a hash of what decides results, and the commit where there was one."""

    version: str
    results: str
    commit: str = ""

    def __str__(self) -> str:
        return f"{self.version} ({', '.join(filter(None, self[1:]))})"


@dataclass(frozen=True)
class Provenance:
    """Where the results of some runs come from; each value once, in order.

    Attributes:
        data: names of the data sets.
        fingerprints: of the data sets.
        codes: versions of the code.
        machines: in words.
        dates: when the runs were started, "2026-11-24".
    """

    data: tuple[str, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    codes: tuple[Code, ...] = ()
    machines: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return a text of each that is known."""
        values: dict[str, Sequence[Any]] = {
            "data": self.data, "fingerprint": self.fingerprints, "code": self.codes,
            "machine": self.machines, "date": self.dates,
        }  # fmt: skip
        return {name: "; ".join(map(str, found)) for name, found in values.items() if found}

    def warnings(self) -> Iterator[str]:
        """Yield what speaks against comparing the results with each other."""
        for name in dict.fromkeys(fingerprint.data for fingerprint in self.fingerprints):
            count = sum(fingerprint.data == name for fingerprint in self.fingerprints)
            if count > 1:
                yield f"cells saw different data{f' ({name})' if name else ''}: {count} fingerprints."
        versions = {code[:2] for code in self.codes}  # commits apart, these compute the same
        if len(versions) > 1:
            yield f"cells come from {len(versions)} code versions."


def provenance_of(folders: Iterable[Path]) -> Provenance:
    """Read the provenance of the runs that are done."""
    runs = [run for run in map(Run, folders) if run.is_done]
    names = [_data_name(run) for run in runs]
    return Provenance(
        data=_distinct(names),
        fingerprints=_distinct(
            Fingerprint(f"{name}{apart}", run.results.fingerprint or "unknown")
            for run, name, apart in zip(runs, names, _settings_apart(runs))
            if name
        ),
        codes=_distinct(code for run in runs if (code := _code(run))),
        machines=_distinct(map(_machine, runs)),
        dates=_distinct(str(run.environment.get("started", ""))[:10] for run in runs),
    )


def _data_name(run: Run) -> str:
    return run.results.data or str(_clip_settings(run).get("name", ""))


def _settings_apart(runs: Sequence[Run]) -> Iterator[str]:
    """Say of each run what sets the clips that it asked for apart from the others': these differ by intent."""
    settings = [_clip_settings(run) for run in runs]
    for data in settings:
        alike = [other for other in settings if other.get("name") == data.get("name")]
        apart = sorted(key for key, value in data.items() if any(other.get(key) != value for other in alike))
        yield f" ({', '.join(f'{key}={data[key]}' for key in apart)})" if apart else ""


def _clip_settings(run: Run) -> dict[str, Any]:
    data = run.config.get("data")
    return clip_settings(data if isinstance(data, Mapping) else {})


def _code(run: Run) -> Code | None:
    code = run.results.code or run.environment.get("code")
    if not isinstance(code, Mapping) or not code:
        return None
    changes = " with changes" if code.get("dirty") else ""
    commit = f"commit {str(code['commit'])[:7]}{changes}" if "commit" in code else ""
    return Code(str(code.get("version", "?")), str(code.get("results", "unknown")), commit)


def _machine(run: Run) -> str:
    environment = run.environment
    gpus, memory = environment.get("gpus"), environment.get("memory_gib")
    if isinstance(gpus, list) and gpus and run.results.cost.get("device", "cpu") != "cpu":
        return f"{len(gpus)} × {gpus[0]}"
    if "cores" not in environment:
        return ""
    return f"{environment['cores']} CPU cores, {memory if isinstance(memory, int | float) else 0:.0f} GiB"


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted({value for value in values if value}))
