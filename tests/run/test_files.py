"""Files of a run folder: missing ones are missing, damaged ones are named, whole parts are kept."""

from pathlib import Path

import pytest

from avs_lightning.run import RunFiles


def test_what_is_not_there_is_missing_and_not_damaged(tmp_path: Path) -> None:
    files = RunFiles(tmp_path / "never")
    assert files.mapping("metrics.json") == {}
    assert files.entries("clips/index.json") == []
    assert files.rows("metrics.csv", "step") == []
    assert files.missing == ["metrics.json", "clips/index.json", "metrics.csv"]
    assert not files.damaged


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("metrics.json", b'{"scores": {"true', "metrics.json: Unterminated string"),
        ("metrics.json", b"[1, 2]", "metrics.json: holds no mapping"),
        ("metrics.json", b"\xff\xfe\x00", "metrics.json: no UTF-8 text at byte 0"),
        ("metrics.json", b"[" * 100_000, "metrics.json:"),
        ("config.yaml", b"a: [1, 2", "config.yaml: while parsing"),
        ("config.yaml", b"!!python/object/apply:os.system ['true']", "config.yaml: could not determine a constructor"),
    ],
)
def test_a_damaged_mapping_is_empty_and_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    files = RunFiles(tmp_path)
    assert files.mapping(name) == {}
    assert len(files.damaged) == 1
    assert files.damaged[0].startswith(words)
    assert "\n" not in files.damaged[0]
    assert not files.missing


def test_of_a_cut_table_the_whole_rows_are_kept(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,epoch,loss\n0,0,1.5\n1,0,1.2\n2,1")
    files = RunFiles(tmp_path)
    assert files.rows("metrics.csv", "step") == [
        {"step": "0", "epoch": "0", "loss": "1.5"},
        {"step": "1", "epoch": "0", "loss": "1.2"},
    ]
    assert files.damaged == ["metrics.csv: 1 of 3 rows are cut or torn"]


@pytest.mark.parametrize("content", [b"", b"stop,epoch\n1,2\n"])
def test_a_table_without_its_column_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    files = RunFiles(tmp_path)
    assert files.rows("metrics.csv", "step") == []
    assert files.damaged == ["metrics.csv: has no column step"]


def test_of_a_list_the_mappings_are_kept(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('[{"id": "a"}, 3, null]')
    files = RunFiles(tmp_path)
    assert files.entries("list.json") == [{"id": "a"}]
    assert files.damaged == ["list.json: 2 of 3 entries are no mappings"]


def test_a_folder_in_place_of_a_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").mkdir()
    files = RunFiles(tmp_path)
    assert files.mapping("metrics.json") == {}
    assert files.damaged == ["metrics.json: Is a directory"]
