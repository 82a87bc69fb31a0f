"""How a command starts: its first word comes at once, and what computes nothing loads nothing heavy."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from avs_lightning.cli import COMMANDS, begin
from avs_lightning.command import VARIABLE
from avs_lightning.studies.cells.cell import Cell
from avs_lightning.studies.cells.plan import Plan

HEAVY = ("torch", "pytorch_lightning")
BEFORE = f"import atexit; atexit.register(lambda: print('loaded:', *{{*{HEAVY}}} & sys.modules.keys()))"


def loaded(ended: object) -> list[str]:
    return str(getattr(ended, "out", "")).rpartition("loaded:")[2].split()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder of a study of one cell, planned and not run, below the present folder of `avs_process`."""
    folder = tmp_path / "runs" / "studies" / "sweep-1"
    cells = [Cell("one", {"fusion": "none"}, 0, {}, "sign", Path("one-sign"))]
    Plan("sweep-1", "A sweep", "", False, [], cells).save(folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        *(f"{page} --help" for page in (*COMMANDS, "data stats", "study run", "study run demo")),
        "train --cfg job",
        "study list",
        "study status sweep-1",
        "study table sweep-1",
        "study table sweep-1 --output table.csv",
        "report sweep-1",
        "options",
        "options encoder",
        "runs",
        "data check nowhere",
        "data make drawn --train 1 --val 1 --test 1 --size 32 --no-videos",
    ],
)
def test_what_computes_nothing_loads_no_torch(avs_process: Callable, study: Path, command: str) -> None:
    ended = avs_process(*command.split(), before=BEFORE)
    assert ended.code == ("nowhere" in command), ended.err
    assert loaded(ended) == []


def test_the_page_of_a_run_and_its_clips_needs_no_torch(avs_process: Callable, tiny_run: Path) -> None:
    ended = avs_process("report", str(tiny_run), "--output", "page.html", before=BEFORE)
    assert ended.code == 0, ended.err
    assert loaded(ended) == []


def test_a_data_set_is_counted_and_drawn_without_torch(avs_process: Callable, tiny_ms3: Path) -> None:
    ended = avs_process("data", "stats", str(tiny_ms3), before=BEFORE)
    assert ended.code == 0, ended.err
    assert loaded(ended) == []


def test_a_data_set_is_checked_without_lightning(avs_process: Callable, tiny_ms3: Path) -> None:
    ended = avs_process("data", "check", str(tiny_ms3), "--size", "32", before=BEFORE)
    assert ended.code == 0, ended.err
    assert loaded(ended) == ["torch"]


@pytest.mark.parametrize("command", ["train", "eval checkpoint=best.ckpt", "study run nowhere", "demo", "bench"])
def test_the_first_word_comes_before_torch_is_loaded(tmp_path: Path, command: str) -> None:
    """On a terminal; torch cannot be imported here at all."""
    code = f"import sys; sys.modules['torch'] = None; from avs_lightning.cli import main; main({command.split()!r})"
    ours, terminal = pty.openpty()
    command_line = [sys.executable, "-c", code]
    with (
        os.fdopen(ours) as screen,
        subprocess.Popen(command_line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal) as process,
    ):
        os.close(terminal)
        first = screen.readline().rstrip()
        process.kill()
    name = " ".join(word for word in command.split()[:2] if "=" not in word)
    assert first == f"avs {name}: loading ..."


class Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`said("train data=ms3")` is what the command says first on a terminal."""

    def run(line: str, screen: type[io.StringIO] = Terminal) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", screen())
            begin(line.split())
            return sys.stderr.getvalue()  # type: ignore[attr-defined, no-any-return]

    monkeypatch.delenv(VARIABLE, raising=False)
    return run


@pytest.mark.parametrize(
    "line",
    ["train --help", "train --cfg job", "train --cfg=job", "train --hydra-help", "study run --help", "study list",
     "data check data", "report mine", "options train"],
)  # fmt: skip
def test_what_only_informs_says_nothing_first(said: Callable[..., str], line: str) -> None:
    assert said("train") == "avs train: loading ...\n"
    assert said(line) == ""


def test_other_ranks_cells_of_a_sweep_and_files_get_no_first_word(
    said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said("train", io.StringIO) == ""
    with monkeypatch.context() as patch:
        patch.setattr(rank_zero_only, "rank", 1)
        assert said("train") == ""
    monkeypatch.setenv(VARIABLE, '["avs", "train", "-m"]')
    assert said("train --run-folder folder") == ""
