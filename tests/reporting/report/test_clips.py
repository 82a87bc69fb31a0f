"""Which clips come into the page, and their files as data."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from avs_lightning.reporting.report import Report, ReportRun
from avs_lightning.reporting.report.clips import ALL_CELLS, ClipGallery, clip_gallery
from avs_lightning.reporting.report.results import RunResults, read_results

RunWriter = Callable[..., Path]


def read(folder: Path) -> RunResults:
    return read_results([ReportRun("a", {}, 0, "done", folder)])[0]


def gallery_of(result: RunResults, **options: int) -> ClipGallery:
    return clip_gallery([result], "frame", **options)


def test_every_clip_of_a_run_with_all_its_media(run_folder: RunWriter) -> None:
    result = read(run_folder("one", clips=2))
    gallery = gallery_of(result)
    clips = gallery.cells[0]
    assert [clip["why"] for clip in clips] == ["worst"] * 2 + ["random"] * 2 + ["best"] * 2
    for clip in clips:
        assert [len(clip[kind]) for kind in ("frames", "truth", "prediction", "muted", "errors")] == [5] * 5
        assert all(gallery.media[key].startswith("data:image/jpeg;base64,") for key in clip["frames"])
        assert all(gallery.media[key].startswith("data:image/png;base64,") for key in clip["truth"] + clip["errors"])
        assert gallery.media[clip["sound"]].startswith("data:audio/mpeg;base64,")
        assert all(second is not None for second in clip["seconds"])
    frame = Image.open(io.BytesIO(base64.b64decode(gallery.media[clips[0]["frames"][0]].split(",")[1])))
    assert frame.size == (96, 96)
    assert not gallery.left_out
    assert not result.files.damaged


def test_of_many_cells_the_best_and_the_worst(study: Callable[..., Report]) -> None:
    results = read_results(study(cells=ALL_CELLS + 1, clips=1).runs)
    assert sorted(clip_gallery(results[:ALL_CELLS], "frame").cells) == list(range(ALL_CELLS))
    results[1].scores["true"]["miou_frame"] = 0.9
    gallery = clip_gallery(results, "frame")
    assert sorted(gallery.cells) == [0, 1]
    assert "7 cells have clips" in gallery.left_out[0]


def test_what_cells_share_is_there_once(study: Callable[..., Report]) -> None:
    results = read_results(study(cells=2, clips=1).runs)
    alone, both = clip_gallery(results[:1], "frame"), clip_gallery(results[:2], "frame")
    assert both.media == alone.media
    assert len(both.cells[1]) == 3


def test_a_full_page_has_some_of_every_kind_and_says_what_it_lacks(run_folder: RunWriter) -> None:
    result = read(run_folder("one", clips=3))
    size = sum(map(len, gallery_of(result).media.values()))
    gallery = gallery_of(result, limit=size // 2)
    assert sum(map(len, gallery.media.values())) <= size // 2
    assert {clip["why"] for clip in gallery.cells[0]} == {"worst", "random", "best"}
    shown = len(gallery.cells[0])
    assert 3 <= shown < 9
    assert gallery.left_out[0].startswith(f"{9 - shown} more clips")


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "..", "a\\b.png", "", 3, "a\0b"])
def test_a_name_that_leads_elsewhere_is_not_read(run_folder: RunWriter, name: object) -> None:
    folder = run_folder("one", clips=1)
    Image.new("RGB", (8, 8)).save(folder.parent / "secret.png")
    entries = json.loads((folder / "clips" / "index.json").read_text())
    entries[0]["frames"][0] = entries[0]["sound"] = name
    (folder / "clips" / "index.json").write_text(json.dumps(entries))
    result = read(folder)
    clip = gallery_of(result).cells[0][0]
    assert clip["frames"][0] is None
    assert clip["sound"] is None
    assert clip["frames"][1] is not None
    assert result.files.damaged == [f"clips/index.json: {name!r} is no file name"] * 2


def test_damaged_files_are_named_and_the_rest_is_shown(run_folder: RunWriter) -> None:
    folder = run_folder("one", clips=1)
    for name in ("clip0_frames_0.jpg", "clip0_truth_1.png", "clip0.mp3"):
        path = folder / "clips" / name
        path.write_bytes(path.read_bytes()[:40])
    (folder / "clips" / "clip0_muted_2.png").unlink()
    result = read(folder)
    clip = gallery_of(result).cells[0][0]
    assert clip["frames"][0] is None
    assert clip["truth"][1] is None
    assert clip["errors"][1] is None
    assert clip["sound"] is None
    assert clip["muted"][2] is None
    assert clip["errors"][2] is not None
    assert {line.split(":")[0] for line in result.files.damaged} == {
        "clips/clip0_frames_0.jpg", "clips/clip0_truth_1.png", "clips/clip0.mp3"
    }  # fmt: skip
    assert result.files.missing == ["clips/clip0_muted_2.png"]


def test_a_picture_of_another_kind_is_no_frame(run_folder: RunWriter) -> None:
    folder = run_folder("one", clips=1)
    (folder / "clips" / "clip0_frames_0.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    result = read(folder)
    assert gallery_of(result).cells[0][0]["frames"][0] is None
    assert len(result.files.damaged) == 1


def test_an_entry_without_anything_is_shown_empty(run_folder: RunWriter) -> None:
    folder = run_folder("one", clips=1)
    (folder / "clips" / "index.json").write_text('[{"why": "strange", "frames": "x", "truth": [null]}]')
    result = read(folder)
    (clip,) = gallery_of(result).cells[0]
    assert (clip["id"], clip["frames"], clip["truth"], clip["sound"], clip["miou"]) == ("", [], [None], None, None)
    assert result.files.damaged == ["clips/index.json: frames of None is no list"]
