"""experiments/wandb_sweep: what W&B's own agent makes of sweep.yaml is a run that works, under the agent's run id."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args, load_sweep_config
from wandb.wandb_agent import Agent

SWEEP = Path(__file__).parents[2] / "experiments" / "wandb_sweep" / "sweep.yaml"
ARGUMENTS = "${args_no_hyphens}"
CHOSEN = {"fusion": "stage4", "optimizer.lr": 0.003}


@pytest.fixture
def sweep() -> dict[str, Any]:
    config = load_sweep_config(str(SWEEP))
    assert config is not None
    return config


def test_it_has_the_form_of_a_sweep(sweep: dict[str, Any]) -> None:
    known = {"project", "name", "program", "method", "metric", "run_cap", "parameters", "command"}
    assert set(sweep) == known  # a mistyped key would be refused by the server
    assert sweep["method"] in ("bayes", "grid", "random")
    assert sweep["metric"] == {"name": "val/miou_frame", "goal": "maximize"}
    assert set(sweep["parameters"]) == set(CHOSEN)
    rates = sweep["parameters"]["optimizer.lr"]
    assert rates["distribution"] == "log_uniform_values"
    assert isinstance(rates["min"], float)  # YAML reads 1e-5 as text
    assert 0 < rates["min"] < rates["max"]


def test_every_choice_composes(sweep: dict[str, Any], avs: Callable) -> None:
    shared = sweep["command"][sweep["command"].index("train") + 1 : -1]
    for fusion in sweep["parameters"]["fusion"]["values"]:
        chosen = {"args": {name: {"value": value} for name, value in {**CHOSEN, "fusion": fusion}.items()}}
        ended = avs("train", *shared, *create_sweep_command_args(chosen)["args_no_hyphens"], "--cfg", "job")
        assert ended.code == 0, ended.err
        assert "lr: 0.003" in ended.out


def test_what_the_agent_starts_is_the_agents_run(
    sweep: dict[str, Any], tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "WANDB_MODE": "offline",
        "WANDB_SWEEP_ID": "sweep123",
        "WANDB_DIR": str(tmp_path),
        "WANDB_RUN_ID": "before",  # so that what the agent puts there is undone
        "WANDB_SWEEP_PARAM_PATH": "before",
        "AVS_RUNS_DIR": str(tmp_path / "runs"),
        "OMP_NUM_THREADS": "1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = list(sweep["command"])
    command[command.index(ARGUMENTS) : -1] = [*tiny, "trainer.max_epochs=1"]
    agent = Agent(api=None, queue=None, sweep_id="sweep123")
    agent._sweep_command = command
    parameters = {name: {"value": value} for name, value in CHOSEN.items()}
    agent._command_run({"run_id": "chosen01", "program": sweep["program"], "args": parameters})
    assert agent._run_processes["chosen01"].wait() == 0

    (folder,) = (tmp_path / "runs").glob("*/*")
    assert (folder / "wandb_id.txt").read_text() == "chosen01"
    trained = OmegaConf.load(folder / "config.yaml")
    assert trained.fusion.stages == [4]
    assert trained.optimizer.lr == 0.003
    (run,) = (tmp_path / "wandb").glob("offline-run-*-chosen01")
    read = subprocess.run(
        [sys.executable, "-m", "wandb", "leet", "inspect", "--json", run], capture_output=True, text=True, check=True
    )
    records = [json.loads(line) for line in read.stdout.splitlines()]
    (started,) = (record["run"] for record in records if record["type"] == "run")
    assert started["sweep_id"] == "sweep123"
    assert started["config"]["update"]["optimizer.lr"] == 0.003
    logged = [record["history"]["item"] for record in records if record["type"] == "history"]
    assert any(sweep["metric"]["name"] in row for row in logged)
