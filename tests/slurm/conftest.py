"""A real Slurm on this machine, for the tests that are marked `slurm`."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import single_node

sys.path.pop(0)


@pytest.fixture(scope="session")
def single_node_slurm() -> Iterator[dict[str, str]]:
    """The environment that makes Slurm's commands speak to the Slurm of this session."""
    if reason := single_node.missing():
        pytest.skip(f"needs Slurm: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        yield single_node.start(folder, bound=True)
    finally:
        single_node.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def slurm(single_node_slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process, and the commands that it starts, use the Slurm of this session; the environment is returned too."""
    for name, value in single_node_slurm.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("avs_lightning.studies.execution.slurm_states.REFRESH_SECONDS", 0.5)
    return single_node_slurm


@pytest.fixture
def cell(avs: Callable, tiny: list[str], tmp_path: Path) -> Callable[..., Path]:
    """`cell("name", *overrides)` makes a run folder that holds its configuration alone, as a study hands it over."""

    def make(name: str, *overrides: str) -> Path:
        folder = tmp_path / "cells" / name
        folder.mkdir(parents=True)
        given = [*tiny, "probes=null", "callbacks.clips.count=0", f"name={name}", f"paths.output_dir={folder}"]
        shown = avs("train", *given, *overrides, "--cfg", "job", "--resolve")
        assert shown.code == 0, shown.err
        (folder / "config.yaml").write_text(shown.out)
        return folder

    return make
