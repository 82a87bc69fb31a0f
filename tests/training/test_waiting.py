"""The host runs ahead of a GPU: no step of training or evaluation waits for the device where the loggers do not."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import avs_lightning
from avs_lightning.methods import SegmentationMethod
from avs_lightning.reporting.console import Screen
from avs_lightning.training import history

OURS = str(Path(avs_lightning.__file__).parent)
WAITS = ("item", "__bool__", "__int__", "__float__", "__index__", "tolist", "numpy", "cpu", "nonzero", "unique")
STEPS = ("training_step", "_evaluation_step", "on_train_batch_end", "on_before_optimizer_step", "batch_to_device")


def callers() -> list[inspect.FrameInfo]:
    frame, found = inspect.currentframe(), []
    while frame:
        found.append((frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno))
        frame = frame.f_back
    return found  # type: ignore[return-value]


@contextmanager
def waits(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record where our own code, called by Lightning's loops, makes the host wait for a tensor's value."""
    found: list[str] = []

    def recording(name: str, original: Callable) -> Callable:
        def call(tensor: Tensor, *args: Any, **options: Any) -> Any:
            stack: Any = callers()[2:]
            below = next((at for at, (file, *_) in enumerate(stack) if "pytorch_lightning" in file), 0)
            names = [function for _, function, _ in stack]
            if any(file.startswith(OURS) for file, *_ in stack[:below]) and any(map(names.__contains__, STEPS)):
                file, function, line = next(entry for entry in stack if entry[0].startswith(OURS))
                found.append(f"{name} in {function}, {file}:{line}")
            return original(tensor, *args, **options)

        return call

    def indexing(tensor: Tensor, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Tensor) and part.dtype in (torch.bool, torch.uint8) for part in parts):
            masked(tensor)
        return original_index(tensor, index)

    original_index, original_count = Tensor.__getitem__, torch.bincount
    masked = recording("a boolean index", lambda tensor: None)
    with patch.context() as inner:
        for name in WAITS:
            inner.setattr(Tensor, name, recording(name, getattr(Tensor, name)))
        inner.setattr(Tensor, "__getitem__", indexing)
        inner.setattr(torch, "bincount", recording("bincount", original_count))
        yield found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with its bar, and values that are read every fourth step."""
    monkeypatch.setattr(history, "console", Screen(force_terminal=True, quiet=True))


def run(avs: Callable, tiny: list[str], folder: Path) -> None:
    chosen = [text for text in tiny if "log_every" not in text]
    ended = avs("train", *chosen, "trainer.log_every_n_steps=50", f"paths.output_dir={folder}")
    assert ended.code == 0, ended.err


@pytest.mark.usefixtures("looks")
@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA says it itself")
def test_no_step_waits_for_the_device(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with waits(monkeypatch) as found:
        run(avs, tiny, tmp_path / "run")
    assert sorted(set(found)) == []


@pytest.mark.parametrize(
    "wait",
    [
        lambda value: value.item(),
        lambda value: bool(value > 0),
        lambda value: value[value > 0],
        lambda value: torch.bincount(value.int()),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA says it itself")
def test_a_step_that_waits_is_found(
    wait: Callable, avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{OURS}/there.py"
    scope: dict[str, Any] = {"wait": wait, "torch": torch}
    exec(compile("def step(value):\n    wait(value)\n", place, "exec"), scope)
    forward = SegmentationMethod.training_step

    def training_step(self: Any, batch: Any, index: int) -> Any:
        scope["step"](batch.images[0, 0, 0, 0, :1].abs())
        return forward(self, batch, index)

    monkeypatch.setattr(SegmentationMethod, "training_step", training_step)
    with waits(monkeypatch) as found:
        run(avs, tiny, tmp_path / "run")
    assert found
    assert {entry.rpartition(",")[0].rpartition(" ")[2] for entry in found} == {"step"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_no_step_of_a_method_waits_on_a_gpu(
    avs: Callable, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA raises where the host waits, in all that the method does with a batch."""

    def strict(step: Callable) -> Callable:
        def call(*args: Any) -> Any:
            torch.cuda.set_sync_debug_mode("error")
            try:
                return step(*args)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return call

    for name in ("training_step", "validation_step", "test_step", "transfer_batch_to_device"):
        monkeypatch.setattr(SegmentationMethod, name, strict(getattr(SegmentationMethod, name)))
    chosen = [text for text in tiny if "accelerator" not in text]
    run(avs, [*chosen, "trainer.accelerator=gpu"], tmp_path / "run")
