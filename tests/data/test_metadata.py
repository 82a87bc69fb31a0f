from pathlib import Path

import pytest

from avs_lightning.data.metadata import read_rows
from avs_lightning.errors import UserError

COLUMNS = ("name", "start", "category", "split")


def rows(path: Path, text: str) -> list[dict[str, str]]:
    path.write_text(text, encoding="utf-8")
    return read_rows(path, COLUMNS, "name")


def test_rows_in_order_with_the_columns_asked_for(tmp_path: Path) -> None:
    text = "split,name,extra,category,start\ntrain,NA,x,race_car,0\ntest, -b_1 ,y,race_car,5\n"
    assert rows(tmp_path / "a.csv", text) == [
        {"name": "NA", "start": "0", "category": "race_car", "split": "train"},
        {"name": "-b_1", "start": "5", "category": "race_car", "split": "test"},
    ]


def test_byte_order_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    assert len(rows(tmp_path / "a.csv", "\ufeffname,start,category,split\na,0,race_car,val\n")) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "lacks the columns name, start, category, split: .* it has nothing"),
        ("name,start,split\na,0,train\n", "lacks the column category: it must have name,start,category,split, it has"),
        ("name,start,category,split\n", "lists no clips"),
        ("name,start,category,split\na,0,race_car,trian\n", r"line 2: split=trian is unknown; did you mean train\?"),
        ("name,start,category,split\na,0,race_car,train\nb,0,race_car\n", "line 3: no value for split"),
        ("name,start,category,split\na,0,race_car,train\na,0,race_car,val\n", "line 3: name 'a' stands in line 2"),
        ("name,start,category,split\n../a,0,race_car,train\n", "line 2: name '../a' names a file"),
        ("name,start,category,split\na,0,/etc,train\n", "line 2: category '/etc' names a file"),
    ],
)
def test_bad_metadata_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        rows(tmp_path / "a.csv", text)
    assert str(tmp_path / "a.csv") in str(error.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="metadata file missing"):
        read_rows(tmp_path / "a.csv", COLUMNS, "name")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        read_rows(tmp_path / "a.csv", COLUMNS, "name")
