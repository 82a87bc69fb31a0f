"""The files that finished cells leave."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SCORES = {"true": {"miou_reference": 0.5, "fscore_reference": 0.6}, "muted": {"miou_reference": 0.1}}
ENVIRONMENT = {"started": "2026-11-24T10:00:00", "cores": 2, "memory_gib": 23.6, "gpus": []}
CODE = {"version": "0.1.0", "results": "aaa", "commit": "0123456789", "dirty": True}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """`run(name, data={}, environment={}, **metrics)` leaves a finished cell's files."""

    def leave(name: str, data: Any = None, environment: Any = None, **metrics: Any) -> Path:
        folder = tmp_path / "cells" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump({"data": {"name": "ms3", "root": name, **(data or {})}}))
        (folder / "environment.json").write_text(json.dumps(ENVIRONMENT | (environment or {})))
        given = {"data": "ms3", "fingerprint": "f" * 12, "code": CODE, "scores": SCORES, "cost": {"device": "cpu"}}
        (folder / "metrics.json").write_text(json.dumps(given | metrics))
        return folder

    return leave
