import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avs_lightning.data.check import check_dataset
from avs_lightning.data.problems import Problem, problem_lines
from avs_lightning.errors import UserError
from avs_lightning.files import write_rows

Write = Callable[..., Path]
SIZE = 32


def check(root: Path, setting: str | None = None) -> list[Problem]:
    return check_dataset(root, setting, image_size=SIZE, progress=False)


def printed(problems: list[Problem]) -> str:
    return "\n".join(line.plain for line in problem_lines(problems))


@pytest.fixture
def both(tmp_path: Path, official_s4: Write, official_ms3: Write) -> Path:
    official_s4(tmp_path, audio="both")
    return official_ms3(tmp_path)


def test_whole_sets_have_no_problems(both: Path) -> None:
    assert check(both) == []
    assert check(both / "Multi-sources") == []
    assert "Nothing is wrong" in printed([])


def _noise(seconds: float = 5, rate: int = 16_000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * rate))


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "frame missing": ("visual_frames/val*/*_2.png", Path.unlink),
    "frame size": ("visual_frames/val*/*_2.png", lambda path: Image.new("RGB", (SIZE, 40)).save(path)),
    "frame unreadable": ("visual_frames/val*/*_2.png", lambda path: path.write_bytes(path.read_bytes()[:500])),
    "mask missing": ("gt_masks/val/*/*_2.png", Path.unlink),
    "mask size": ("gt_masks/val/*/*_2.png", lambda path: Image.new("1", (40, SIZE)).save(path)),
    "mask unreadable": ("gt_masks/val/*/*_2.png", lambda path: path.write_bytes(b"")),
    "mask values": (
        "gt_masks/val/*/*_2.png",
        lambda path: Image.fromarray(np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)).save(path),
    ),
    "wav missing": ("audio_wav/val/*.wav", Path.unlink),
    "wav unreadable": ("audio_wav/val/*.wav", lambda path: path.write_text("no sound")),
    "wav unreadable: empty": ("audio_wav/val/*.wav", lambda path: soundfile.write(path, _noise(0), 16_000)),
    "wav rate": ("audio_wav/val/*.wav", lambda path: soundfile.write(path, _noise(5, 44_100), 44_100)),
    "wav channels": ("audio_wav/val/*.wav", lambda path: soundfile.write(path, _noise(10).reshape(-1, 2), 16_000)),
    "wav length": ("audio_wav/val/*.wav", lambda path: soundfile.write(path, _noise(3), 16_000)),
    "wav cancels": (
        "audio_wav/val/*.wav",
        lambda path: soundfile.write(path, np.stack([_noise(), -_noise()], axis=1), 16_000),
    ),
    "wav silent": ("audio_wav/val/*.wav", lambda path: soundfile.write(path, 0 * _noise(), 16_000)),
    "wav unreadable: NaN": (
        "audio_wav/val/*.wav",
        lambda path: soundfile.write(path, np.nan * _noise(), 16_000, subtype="FLOAT"),
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_kind_of_damage_is_found_where_it_is(both: Path, kind: str) -> None:
    pattern, damage = DAMAGE[kind]
    (path,) = (both / "Multi-sources" / "ms3_data").glob(pattern)
    damage(path)
    kind, _, words = kind.partition(": ")
    (problem,) = check(both)
    assert words in problem.detail
    assert (problem.kind, problem.path, problem.clip, problem.note) == (kind, path, "val___00000_0", False)
    assert str(path) not in problem.detail
    assert kind in printed([problem])


def test_single_source_masks_have_two_values(both: Path) -> None:
    path = next((both / "Single-source").rglob("gt_masks/test/*/*/*_4.png"))
    three = np.zeros((SIZE, SIZE), dtype=np.uint8)
    three[:4], three[4:8] = 128, 255
    Image.fromarray(three).save(path)
    (problem,) = check(both)
    assert (problem.kind, problem.path) == ("mask values", path)
    assert problem.detail.startswith("3 different values, expected at most 2")


def test_unlabelled_frames_need_no_mask(both: Path) -> None:
    masks = list((both / "Single-source").rglob("gt_masks/train/*/*/*.png"))
    assert len(masks) == 2
    masks[0].unlink()
    assert [problem.path for problem in check(both, "s4")] == [masks[0]]


def test_pickle_instead_of_the_wav_is_a_note_and_a_damaged_pickle_a_problem(both: Path) -> None:
    wav = next((both / "Single-source").rglob("audio_wav/val/*/*.wav"))
    wav.unlink()
    (note,) = check(both)
    assert (note.kind, note.path, note.note) == ("wav missing", wav, True)
    pickled = next((both / "Single-source").rglob("audio_log_mel/val/*/*.pkl"))
    pickled.write_bytes(pickle.dumps(torch.zeros(3)))
    assert [(problem.kind, problem.note) for problem in check(both)] == [
        ("log-mel pickle unreadable", False),
        ("wav missing", True),
    ]


def test_clip_that_the_csv_does_not_name_is_a_note(both: Path) -> None:
    csv = both / "Multi-sources" / "ms3_meta_data.csv"
    csv.write_text("".join(line for line in csv.read_text().splitlines(keepends=True) if "train_00000_0" not in line))
    (problem,) = check(both, "ms3")
    assert (problem.kind, problem.clip, problem.note) == ("clip not in the CSV", "train_00000_0", True)


def test_a_cause_is_named_once_and_the_full_list_is_a_file(both: Path, tmp_path: Path) -> None:
    for path in (both / "Multi-sources").rglob("*.png"):
        path.unlink()
    problems = check(both, "ms3")
    assert Counter(problem.kind for problem in problems) == {"frame missing": 20, "mask missing": 20}
    text = printed(problems)
    assert text.count(".png") == 2
    assert text.count("20 files") == 2
    write_rows(problems, Problem, tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text().count(".png") == 40


def test_all_frames_of_another_size_are_one_cause(both: Path) -> None:
    problems = check_dataset(both, "ms3", image_size=64, progress=False)
    assert "data.image_size=32" in printed(problems).splitlines()[1]


def test_nothing_to_check(tmp_path: Path, both: Path) -> None:
    with pytest.raises(UserError, match=r"no data set in .*Single-source/s4_meta_data\.csv.*avs data make"):
        check(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"setting=s3 is unknown; did you mean .*s4"):
        check(both, "s3")
    (both / "Single-source" / "s4_meta_data.csv").unlink()
    with pytest.raises(UserError, match="metadata file missing"):
        check(both)


def test_clips_of_several_names_have_one_cause() -> None:
    problems = [Problem("masks", name, Path(name), f"clip {name!r} has no mask") for name in ("garden", "street")]
    assert "masks: 2 files" in printed(problems)
