"""The notebook: its cells run, one after another, and it is committed with what they have shown."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "segment_a_clip.ipynb"
ABSOLUTE = re.compile(r"(?<![\w.:/])/\w+/\w+")
SHORT = {"CLIPS": {"train": 4, "val": 2, "test": 2}, "EPOCHS": 1}


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_its_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in code_cells():
        exec("".join(cell["source"]), names)
        names |= {name: value for name, value in SHORT.items() if name in names}
    assert "muted" in capsys.readouterr().out
    assert (tmp_path / "clip.png").stat().st_size > 0


def test_it_is_committed_with_its_outputs_and_no_path_of_a_machine() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "image/png" in outputs[-1]["data"]
    shown = [
        text for output in outputs for text in (output.get("text", ""), output.get("data", {}).get("text/plain", ""))
    ]
    texts = ["".join(text) for text in (*shown, *(cell["source"] for cell in cells))]
    assert any(texts)
    assert [path for text in texts for path in ABSOLUTE.findall(text)] == []
