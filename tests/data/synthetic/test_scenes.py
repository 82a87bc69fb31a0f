from collections import Counter, defaultdict

import numpy as np
import pytest

from avs_lightning.data.synthetic.categories import CATEGORIES, DEMO_CATEGORIES, choose_categories
from avs_lightning.data.synthetic.looks import LOOKS
from avs_lightning.data.synthetic.scenes import FPS, FRAME_TIMES, Scene, path, plan_scene
from avs_lightning.data.synthetic.voices import VOICES
from avs_lightning.errors import UserError


@pytest.fixture(scope="module")
def ms3() -> list[Scene]:
    return [plan_scene("ms3", "train", number, CATEGORIES) for number in range(1200)]


@pytest.fixture(scope="module")
def s4() -> list[Scene]:
    return [plan_scene("s4", "train", number, CATEGORIES) for number in range(23 * 40)]


def test_the_categories_are_those_of_avsbench(shared):
    rows = (shared / "avsbench" / "s4_meta_data.csv").read_text().splitlines()[1:]
    assert set(CATEGORIES) == {row.split(",")[2] for row in rows}


def test_every_category_has_a_look_and_a_voice():
    assert set(LOOKS) == set(VOICES) == set(CATEGORIES)
    assert set(DEMO_CATEGORIES) < set(CATEGORIES)


def test_a_scene_depends_on_its_seed_setting_split_and_number_alone():
    assert plan_scene("ms3", "val", 7, CATEGORIES, seed=3) == plan_scene("ms3", "val", 7, CATEGORIES, seed=3)
    scenes = [
        plan_scene("ms3", "val", 7, CATEGORIES, seed=4),
        plan_scene("ms3", "val", 8, CATEGORIES, seed=3),
        plan_scene("ms3", "test", 7, CATEGORIES, seed=3),
        plan_scene("s4", "val", 7, CATEGORIES, seed=3),
    ]
    assert all(scene != plan_scene("ms3", "val", 7, CATEGORIES, seed=3) for scene in scenes)


def test_frames_are_taken_where_the_official_rule_takes_them():
    assert [int(time * FPS) for time in FRAME_TIMES] == [int(second * FPS + 15 / 16 * FPS) for second in range(5)]
    assert all(second < time < second + 1 for second, time in enumerate(FRAME_TIMES))


def test_s4_has_one_object_that_sounds_all_the_time_beside_one_or_two_silent_ones(s4):
    for scene in s4:
        sounding = [item for item in scene.objects if any(item.sounding)]
        assert len(sounding) == 1
        assert all(sounding[0].sounding)
        assert sounding[0].actor.category == scene.category
        assert len({item.actor.category for item in scene.objects}) == len(scene.objects)
    assert {len(scene.objects) for scene in s4} == {2, 3}


def test_s4_gives_each_category_as_many_clips(s4):
    assert set(Counter(scene.category for scene in s4).values()) == {40}


def test_ms3_has_two_to_four_objects_of_different_categories(ms3):
    assert {len(scene.objects) for scene in ms3} == {2, 3, 4}
    assert all(len({item.actor.category for item in scene.objects}) == len(scene.objects) for scene in ms3)


def test_ms3_sounds_switch_by_the_second_and_are_seldom_all_silent(ms3):
    schedules = [np.array([item.sounding for item in scene.objects]) for scene in ms3]
    assert 0.40 < np.concatenate([schedule.ravel() for schedule in schedules]).mean() < 0.50
    assert 0.06 < np.concatenate([~schedule.any(0) for schedule in schedules]).mean() < 0.10
    assert np.mean([(schedule != schedule[:, :1]).any() for schedule in schedules]) > 0.85


def test_without_switching_ms3_sounds_hold_for_the_clip_and_as_often():
    schedules = [
        np.array([item.sounding for item in plan_scene("ms3", "train", number, CATEGORIES, switching=False).objects])
        for number in range(800)
    ]
    assert all((schedule == schedule[:, :1]).all() for schedule in schedules)
    assert 0.40 < np.concatenate([schedule[:, 0] for schedule in schedules]).mean() < 0.50


@pytest.mark.parametrize("setting", ["s4", "ms3"])
def test_every_category_is_seen_sounding_and_silent_equally_often(setting, request):
    flags = defaultdict(list)
    for scene in request.getfixturevalue(setting):
        for item in scene.objects:
            flags[item.actor.category].append(np.mean(item.sounding))
    overall = np.mean([flag for group in flags.values() for flag in group])
    for category, group in flags.items():
        # Clips of one source share their cast, so a category's clips are not quite independent: 5 sigma.
        assert abs(np.mean(group) - overall) < 5 * np.std(group) / np.sqrt(len(group)), category


@pytest.mark.parametrize("setting", ["s4", "ms3"])
def test_nothing_that_is_seen_tells_what_sounds(setting, request):
    rows, flags = [], []
    for scene in request.getfixturevalue(setting):
        radii = [item.radius for item in scene.objects]
        for order, item in enumerate(scene.objects):
            look = LOOKS[item.actor.category]
            rows.append(
                [
                    *item.centre,
                    *np.abs(np.array(item.centre) - 0.5),
                    *item.velocity,
                    np.hypot(*item.velocity),
                    item.radius / np.mean(radii),
                    order / (len(scene.objects) - 1),
                    item.actor.hue,
                    item.actor.light,
                    item.actor.mirrored,
                    np.sin(item.phase),
                    look.motion.speed,
                    look.scale,
                ]
            )
            # Relative to the clip, whose number of objects sets how many of them sound in S4.
            flags.append(np.mean(item.sounding) - np.mean([other.sounding for other in scene.objects]))
    correlations = np.corrcoef(np.array(rows, dtype=float).T, flags)[-1, :-1]
    assert np.abs(correlations).max() < 4 / np.sqrt(len(rows))


def test_how_many_objects_are_seen_does_not_tell_how_often_one_sounds(ms3):
    for count in (2, 3, 4):
        sounding = [item.sounding for scene in ms3 if len(scene.objects) == count for item in scene.objects]
        assert abs(np.mean(sounding) - 0.44) < 0.04


def test_ms3_ids_look_official_and_are_unique_over_splits():
    ids = [plan_scene("ms3", s, n, CATEGORIES).id for s in ("train", "val", "test") for n in range(120)]
    assert len(set(ids)) == len(ids)
    assert all(len(name) in (13, 14) and name[11] == "_" and name[12:].isdigit() for name in ids)


def test_s4_ids_have_eleven_characters_and_are_unique():
    ids = [plan_scene("s4", s, n, CATEGORIES).id for s in ("train", "val", "test") for n in range(120)]
    assert len(set(ids)) == len(ids)
    assert {len(name) for name in ids} == {11}


def test_clips_of_a_source_share_cast_and_background_also_over_splits():
    scenes = [plan_scene("ms3", s, n, CATEGORIES) for s in ("train", "val", "test") for n in range(60)]
    sources = defaultdict(list)
    for scene in scenes:
        sources[scene.source].append(scene)
    for clips in sources.values():
        assert len({scene.backdrop for scene in clips}) == 1
        assert len({frozenset(item.actor for item in scene.objects) for scene in clips}) == 1
        assert len({scene.objects for scene in clips}) == len(clips)
    assert 0.4 < len(sources) / len(scenes) < 0.7
    train = {scene.source for scene in scenes if scene.split == "train"}
    shared = [scene.source in train for scene in scenes if scene.split == "test"]
    assert 0.2 < np.mean(shared) < 0.9


def test_objects_stay_in_the_frame_and_mostly_apart(ms3):
    overlaps = []
    for scene in ms3[:300]:
        tracks = [path(item, FRAME_TIMES) for item in scene.objects]
        for track in tracks:
            assert (track[:, :2] > 0.05).all()
            assert (track[:, :2] < 0.95).all()
        for index, one in enumerate(tracks):
            for other in tracks[:index]:
                gap = np.linalg.norm(one[:, :2] - other[:, :2], axis=1) - 0.7 * (one[:, 3] + other[:, 3])
                overlaps.append((gap < 0).mean())
    assert np.mean(overlaps) < 0.05


def test_categories_may_be_a_number_of_them_the_demos_first():
    assert set(choose_categories(6)) == set(DEMO_CATEGORIES)
    assert set(choose_categories(8)) > set(DEMO_CATEGORIES)
    assert choose_categories(23) == choose_categories(None) == CATEGORIES
    assert choose_categories(["race_car", "helicopter"]) == ("helicopter", "race_car")


@pytest.mark.parametrize(
    "categories, message",
    [
        (["helicoptr", "race_car"], "did you mean helicopter"),
        (["xyz", "race_car"], "xyz is unknown .*ambulance_siren"),
        (["race_car", "race_car"], "twice"),
        (["race_car"], "at least two"),
        ("race_car", "at least two"),
        (1, "from 2 to 23"),
        (24, "from 2 to 23"),
    ],
)
def test_bad_categories_are_refused(categories, message):
    with pytest.raises(UserError, match=message):
        choose_categories(categories)
