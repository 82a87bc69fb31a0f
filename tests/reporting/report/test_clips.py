"""Which clips come into the page, what every run made of them, and their files as data."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from avs_lightning.reporting.report import Report, ReportRun
from avs_lightning.reporting.report.cells import cells_of
from avs_lightning.reporting.report.clips import ClipGallery, clip_gallery
from avs_lightning.reporting.report.results import RunResults, read_results

RunWriter = Callable[..., Path]


def read(folder: Path) -> RunResults:
    return read_results([ReportRun("a", {}, 0, "done", folder)])[0]


def gallery_of(*results: RunResults, **options: int) -> ClipGallery:
    return clip_gallery(results, cells_of(results), "miou_frame", **options)


def test_every_clip_of_a_run_with_all_its_media(run_folder: RunWriter) -> None:
    result = read(run_folder("one", clips=2))
    gallery = gallery_of(result)
    assert sorted(clip["runs"][0]["why"] for clip in gallery.clips) == ["best"] * 2 + ["random"] * 2 + ["worst"] * 2
    for clip in gallery.clips:
        made = clip["runs"][0]
        assert [len(clip[kind]) for kind in ("frames", "truth")] == [5] * 2
        assert [len(made[kind]) for kind in ("prediction", "muted", "errors")] == [5] * 3
        assert all(gallery.media[key].startswith("data:image/jpeg;base64,") for key in clip["frames"])
        assert all(gallery.media[key].startswith("data:image/png;base64,") for key in clip["truth"] + made["errors"])
        assert gallery.media[clip["sound"]].startswith("data:audio/mpeg;base64,")
        assert clip["silent"] == [False] * 5
        assert all(second is not None for second in made["seconds"])
    frame = Image.open(io.BytesIO(base64.b64decode(gallery.media[gallery.clips[0]["frames"][0]].split(",")[1])))
    assert frame.size == (96, 96)
    assert not gallery.left_out
    assert not result.files.damaged


def test_a_clip_has_what_every_run_made_of_it_and_its_frames_once(study: Callable[..., Report]) -> None:
    results = read_results(study(cells=9, clips=1).runs)
    alone, all_of_them = gallery_of(results[0]), gallery_of(*results)
    assert len(all_of_them.clips) == 3
    assert all(list(clip["runs"]) == list(range(9)) for clip in all_of_them.clips)
    assert all_of_them.media == alone.media  # these runs made the same of it
    assert [made["miou"] for made in all_of_them.clips[0]["runs"].values()] == sorted(
        made["miou"] for made in all_of_them.clips[0]["runs"].values()
    )


def test_clips_of_other_data_are_other_clips(run_folder: RunWriter) -> None:
    folders = [run_folder("one", clips=1), run_folder("two", clips=1)]
    metrics = json.loads((folders[1] / "metrics.json").read_text())
    (folders[1] / "metrics.json").write_text(json.dumps(metrics | {"fingerprint": "ba9876543210"}))
    gallery = gallery_of(*(read(folder) for folder in folders))
    assert [list(clip["runs"]) for clip in gallery.clips] == [[0], [1]] * 3
    assert len({clip["group"] for clip in gallery.clips}) == 2


def test_silent_frames_are_known_by_their_empty_truth_and_silent_clips_ranked_apart(run_folder: RunWriter) -> None:
    folder = run_folder("one", clips=1)
    for name, seconds in (("clip0", [1]), ("clip2", range(5))):
        for second in seconds:
            Image.new("1", (96, 96)).save(folder / "clips" / f"{name}_truth_{second}.png")
    clips = {clip["id"]: clip for clip in gallery_of(read(folder)).clips}
    assert clips["clip0"]["silent"] == [False, True, False, False, False]
    assert clips["clip2"]["silent"] == [True] * 5
    assert [clips[name]["runs"][0]["why"] for name in ("clip0", "clip1", "clip2")] == ["worst", "random", "silent"]


def test_a_full_page_has_some_of_every_kind_and_says_what_it_lacks(run_folder: RunWriter) -> None:
    result = read(run_folder("one", clips=3))
    size = sum(map(len, gallery_of(result).media.values()))
    gallery = gallery_of(result, limit=size // 2)
    assert sum(map(len, gallery.media.values())) <= size // 2
    assert {clip["runs"][0]["why"] for clip in gallery.clips} == {"worst", "random", "best"}
    shown = len(gallery.clips)
    assert 3 <= shown < 9
    assert gallery.left_out == 9 - shown


def test_of_a_full_page_what_can_be_compared_comes_first(run_folder: RunWriter) -> None:
    results = [read(run_folder("one", clips=2, miou=0.9)), read(run_folder("two", clips=1, miou=0.1))]
    for entry in results[0].chosen:
        entry["id"] += " of its own" if entry["why"] == "best" else ""
    size = sum(map(len, gallery_of(*results).media.values()))
    (first, *_) = gallery_of(*results, limit=size // 3).clips
    assert list(first["runs"]) == [0, 1]


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "..", "a\\b.png", "", 3, "a\0b"])
def test_a_name_that_leads_elsewhere_is_not_read(run_folder: RunWriter, name: object) -> None:
    folder = run_folder("one", clips=1)
    Image.new("RGB", (8, 8)).save(folder.parent / "secret.png")
    entries = json.loads((folder / "clips" / "index.json").read_text())
    entries[0]["frames"][0] = entries[0]["sound"] = name
    (folder / "clips" / "index.json").write_text(json.dumps(entries))
    result = read(folder)
    clip = gallery_of(result).clips[0]
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
    clip = gallery_of(result).clips[0]
    made = clip["runs"][0]
    assert clip["frames"][0] is None
    assert clip["truth"][1] is None
    assert clip["silent"][1] is None
    assert made["errors"][1] is None
    assert clip["sound"] is None
    assert made["muted"][2] is None
    assert made["errors"][2] is not None
    assert {line.split(":")[0] for line in result.files.damaged} == {
        "clips/clip0_frames_0.jpg", "clips/clip0_truth_1.png", "clips/clip0.mp3"
    }  # fmt: skip
    assert result.files.missing == ["clips/clip0_muted_2.png"]


def test_a_picture_of_another_kind_is_no_frame(run_folder: RunWriter) -> None:
    folder = run_folder("one", clips=1)
    (folder / "clips" / "clip0_frames_0.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    result = read(folder)
    assert gallery_of(result).clips[0]["frames"][0] is None
    assert len(result.files.damaged) == 1


def test_an_entry_without_anything_is_shown_empty(run_folder: RunWriter) -> None:
    folder = run_folder("one", clips=1)
    (folder / "clips" / "index.json").write_text('[{"why": "strange", "frames": "x", "truth": [null]}]')
    result = read(folder)
    (clip,) = gallery_of(result).clips
    found = (clip["id"], clip["frames"], clip["truth"], clip["sound"], clip["runs"][0]["miou"])
    assert found == ("", [], [None], None, None)
    assert result.files.damaged == ["clips/index.json: frames of None is no list"]
