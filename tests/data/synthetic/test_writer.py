import json
import multiprocessing
import sys
import time
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from avs_lightning.data.synthetic import write_dataset, writer
from avs_lightning.errors import UserError

CLIPS = {"train": 3, "val": 2, "test": 1}
FEW = {"train": 2, "val": 1}


def make(root: Path, setting: str = "ms3", clips: dict[str, int] = CLIPS, **options: object) -> Path:
    return write_dataset(root, setting, clips, **{"size": 32, "workers": 1, "progress": False} | options)


def files(folder: Path) -> dict[str, bytes]:
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != writer.LOCK)
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


@pytest.fixture(scope="module")
def s4(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("s4"), "s4")


@pytest.fixture(scope="module")
def ms3(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("ms3"), "ms3")


def test_s4_has_the_official_layout_to_the_letter(s4):
    header, *rows = (s4 / "s4_meta_data.csv").read_text().splitlines()
    assert s4.name == "Single-source"
    assert header == "name,start,category,split"
    expected = {"s4_meta_data.csv", "synthetic.json"}
    for name, start, category, split in (row.split(",") for row in rows):
        assert start.isdigit()
        group = f"{split}/{category}/{name}"
        expected |= {f"s4_data/visual_frames/{group}/{name}_{k}.png" for k in range(1, 6)}
        expected |= {f"s4_data/gt_masks/{group}/{name}_{k}.png" for k in range(1, 2 if split == "train" else 6)}
        expected |= {f"s4_data/audio_wav/{group}.wav", f"s4_data/raw_videos/{group}.mp4"}
    assert [row.split(",")[3] for row in rows] == ["train"] * 3 + ["val"] * 2 + ["test"]
    assert set(files(s4)) == expected


def test_ms3_has_the_official_layout_to_the_letter(ms3):
    header, *rows = (ms3 / "ms3_meta_data.csv").read_text().splitlines()
    assert ms3.name == "Multi-sources"
    assert header == "video_id,split"
    expected = {"ms3_meta_data.csv", "synthetic.json"}
    for name, split in (row.split(",") for row in rows):
        expected |= {f"ms3_data/visual_frames/{name}/{name}.mp4_{k}.png" for k in range(1, 6)}
        expected |= {f"ms3_data/gt_masks/{split}/{name}/{name}_{k}.png" for k in range(1, 6)}
        expected |= {f"ms3_data/audio_wav/{split}/{name}.wav", f"ms3_data/raw_videos/{name}.mp4"}
    assert len(rows) == 6
    assert set(files(ms3)) == expected


@pytest.mark.parametrize("setting, mode, values", [("s4", "1", {0, 255}), ("ms3", "P", {0, 255})])
def test_pictures_have_the_official_modes_and_size(setting, mode, values, request):
    folder = request.getfixturevalue(setting)
    found = set()
    for path in folder.rglob("gt_masks/**/*.png"):
        image = Image.open(path)
        assert (image.mode, image.size) == (mode, (32, 32))
        found |= set(np.unique(np.asarray(image.convert("L") if mode == "1" else image)).tolist())
        assert (np.asarray(image.convert("RGB")).any(-1) == (np.asarray(image) > 0)).all()
    assert found == values
    for path in folder.rglob("visual_frames/**/*.png"):
        image = Image.open(path)
        assert (image.mode, image.size) == ("RGB", (32, 32))


def test_sound_is_five_seconds_of_mono_16_bit_at_16_khz(ms3):
    for path in ms3.rglob("*.wav"):
        with wave.open(str(path)) as file:
            assert file.getparams()[:4] == (1, 2, 16_000, 80_000)


@pytest.mark.parametrize("size, videos", [(96, "yuv420p"), (65, "yuv444p")])
def test_the_official_rule_finds_the_frames_in_the_videos(size, videos, tmp_path):
    folder = make(tmp_path, clips={"train": 2}, size=size)
    for video in folder.rglob("*.mp4"):
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", videos)
            fps = round(stream.average_rate)
            decoded = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
        assert len(decoded) == 5 * fps
        for second in range(5):
            name = folder / f"ms3_data/visual_frames/{video.stem}/{video.stem}.mp4_{second + 1}.png"
            shown = np.asarray(Image.open(name)).astype(float)
            at = int(second * fps + 15 / 16 * fps)
            errors = [np.mean((frame - shown) ** 2) for frame in decoded[at - 1 : at + 2]]
            assert errors[1] < 60 or size % 2  # better than 30 dB
            assert errors[1] == min(errors)


def test_the_videos_carry_the_sound_in_time(ms3):
    for video in ms3.rglob("*.mp4"):
        with av.open(str(video)) as container:
            assert container.streams.audio[0].codec_context.name == "aac"
            heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        with wave.open(str(next(ms3.rglob(f"{video.stem}.wav")))) as file:
            written = np.frombuffer(file.readframes(80_000), "<i2") / 32768
        length = min(len(heard), len(written))
        assert length >= 79_000
        spectrum = np.fft.rfft(heard[:length]) * np.conj(np.fft.rfft(written[:length]))
        lag = int(np.argmax(np.fft.irfft(spectrum, n=length)))
        assert min(lag, length - lag) <= 16


def test_files_do_not_depend_on_the_number_of_processes(tmp_path):
    clips = {"train": 9, "val": 9}
    alone, together = (make(tmp_path / str(n), clips=clips, workers=n) for n in (1, 2))
    assert files(alone) == files(together)


def test_more_clips_begin_with_the_same_ones(ms3, tmp_path):
    more = files(make(tmp_path, clips={"train": 5, "val": 2, "test": 1}))
    fewer = files(ms3)
    assert all(more[name] == content for name, content in fewer.items() if name.startswith("ms3_data"))


def test_seeds_differ(tmp_path):
    one, other = (files(make(tmp_path / str(seed), clips={"val": 1}, seed=seed)) for seed in (0, 1))
    assert set(one) != set(other)


def test_a_complete_data_set_is_left_alone(tmp_path, monkeypatch, caplog):
    make(tmp_path, videos=False)
    monkeypatch.setattr(writer, "_write_clip", None)
    with caplog.at_level("INFO"):
        assert make(tmp_path, videos=False) == tmp_path / "Multi-sources"
    assert "already holds" in caplog.text


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = files(make(tmp_path / "whole", videos=False))
    written: list[str] = []
    write_whole = writer.write_whole

    def dies(path: Path, content: bytes, durable: bool = True) -> None:
        if len(written) == 40:
            raise KeyboardInterrupt
        written.append(path.name)
        write_whole(path, content, durable)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_whole", dies)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "killed", videos=False)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "killed").rglob("*.wav")}
    assert 0 < len(before) < 6
    assert files(make(tmp_path / "killed", videos=False)) == whole
    assert all(p.stat().st_mtime_ns == time for p, time in before.items())


def test_without_videos_the_rest_is_the_same(ms3, tmp_path):
    bare = files(make(tmp_path, videos=False))
    full = {name: content for name, content in files(ms3).items() if "raw_videos" not in name}
    assert {**bare, "synthetic.json": b""} == {**full, "synthetic.json": b""}


def test_a_folder_with_another_data_set_is_refused(ms3):
    before = files(ms3)
    with pytest.raises(UserError, match=r"seed=0 instead of 1.*another root, or delete"):
        make(ms3.parent, seed=1)
    with pytest.raises(UserError, match="clips="):
        make(ms3.parent, clips={"train": 4})
    assert files(ms3) == before


def test_a_folder_with_foreign_files_is_refused(tmp_path):
    (tmp_path / "Multi-sources").mkdir()
    (tmp_path / "Multi-sources" / "ms3_meta_data.csv").write_text("video_id,split\n")
    with pytest.raises(UserError, match="no synthetic data set"):
        make(tmp_path)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "Multi-sources").mkdir()
    record = tmp_path / "Multi-sources" / "synthetic.json"
    for text in ("{", "3", json.dumps([1])):
        record.write_text(text)
        with pytest.raises(UserError, match=r"synthetic\.json is damaged"):
            make(tmp_path)


def test_a_root_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the data set into"):
        make(tmp_path / "file")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 31}, "at least 32"),
        ({"seed": -1}, "seed=-1"),
        ({"workers": -1}, "workers=-1"),
        ({"clips": {"train": -1}}, "-1 clips in split train"),
        ({"clips": {"trian": 1}}, "did you mean train"),
        ({"clips": {}}, "no clips"),
        ({"clips": {"train": 0}}, "no clips"),
        ({"setting": "s5"}, "choose s4 or ms3"),
        ({"categories": ["helicoptre", "race_car"]}, "did you mean helicopter"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        make(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def write_as(name: str, root: Path) -> None:
    """What a process does: "first" stops at its first clip until it may go on."""
    write_clip = writer._write_clip

    def write(layout: object, request: object, job: tuple[str, int]) -> str:
        (root / "began").touch()
        if name == "first":
            until((root / "go").exists)
        (root / f"{name}-{job[0]}-{job[1]}").touch()
        return write_clip(layout, request, job)

    writer._write_clip = write
    with (root / "told").open("a") as sys.stdout:
        make(root, clips=FEW, videos=False)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("killed", [False, True])
def test_of_two_processes_one_writes_and_the_other_waits(tmp_path, killed):
    fork = multiprocessing.get_context("fork")
    first, second = (fork.Process(target=write_as, args=(name, tmp_path)) for name in ("first", "second"))
    told = tmp_path / "told"
    first.start()
    until((tmp_path / "began").exists)
    second.start()
    until(lambda: "waiting" in told.read_text())
    if killed:
        first.kill()
    else:
        (tmp_path / "go").touch()
    for process in (first, second):
        process.join(60)
    assert (first.exitcode, second.exitcode) == (-9 if killed else 0, 0)
    assert told.read_text() == f"Another process is writing {tmp_path / 'Multi-sources'}: waiting for it\n"
    clips = {f"{'second' if killed else 'first'}-{split}-{n}" for split, count in FEW.items() for n in range(count)}
    assert {path.name for path in tmp_path.glob("*-*-*")} == clips
    assert files(tmp_path / "Multi-sources") == files(make(tmp_path / "alone", clips=FEW, videos=False))


def test_one_that_waited_for_another_set_is_told(tmp_path):
    folder = tmp_path / "Multi-sources"
    folder.mkdir()
    with ThreadPoolExecutor(1) as pool, FileLock(folder / writer.LOCK):
        waiting = pool.submit(make, tmp_path, videos=False)
        writer.Request.checked(
            "ms3", CLIPS, size=32, seed=1, categories=None, switching=True, videos=False
        ).record_in(folder, complete=True)  # fmt: skip
    with pytest.raises(UserError, match="seed=1 instead of 0"):
        waiting.result(60)
