from dataclasses import replace

import numpy as np
import pytest

from avs_lightning.data.synthetic.categories import CATEGORIES
from avs_lightning.data.synthetic.drawing import draw_look, extent, rgb
from avs_lightning.data.synthetic.looks import LOOKS
from avs_lightning.data.synthetic.parts import Look, Part
from avs_lightning.data.synthetic.rendering import render_frames, render_masks, render_sound
from avs_lightning.data.synthetic.scenes import plan_scene


def square(half: float, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    axis = (((np.arange(pixels) + 0.5) / pixels * 2 - 1) * half).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


@pytest.mark.parametrize(
    "part, area",
    [
        (Part("ellipse", 0.1, -0.1, 0.6, 0.3, "#ff0000"), np.pi * 0.6 * 0.3),
        (Part("box", 0.1, 0, 0.6, 0.3, "#ff0000", turn=30), 4 * 0.6 * 0.3),
        (Part("box", 0, 0, 0.6, 0.3, "#ff0000", soft=0.3), 4 * 0.3 * 0.3 + np.pi * 0.3**2),
        (Part("wedge", 0, 0, 0.6, 0.3, "#ff0000", taper=1), 2 * 0.6 * 0.3),
        (Part("ring", 0, 0, 0.6, 0.6, "#ff0000", taper=0.1), np.pi * (0.6**2 - 0.4**2)),
    ],
)
@pytest.mark.parametrize("pixels", [41, 200])
def test_a_shape_covers_its_area_at_any_resolution(part, area, pixels):
    x, y = square(1.2, pixels)
    _, cover = draw_look(Look((part,)), x, y, 2.4 / pixels, 0, 1)
    assert cover.sum() * (2.4 / pixels) ** 2 == pytest.approx(area, rel=0.03)
    assert ((cover > 0.05) & (cover < 0.95)).any()


def test_a_part_shows_its_colour_and_its_pattern():
    x, y = square(1, 200)
    part = Part("box", 0, 0, 1, 1, "#ff0000", paint="stripes", second="#0000ff", count=2)
    colour, _ = draw_look(Look((part,)), x, y, 0.01, 0, 1)
    row = colour[:, 100]
    # The crests of cos(2 pi u) lie at the middle, in `second`; the troughs halfway to the edges.
    assert row[2, 100] > 3 * row[0, 100]
    assert row[0, 50] > 3 * row[2, 50]


def test_hue_and_light_change_a_colour():
    assert rgb("#ff0000") == pytest.approx([1, 0, 0])
    assert rgb("#ff0000", 1 / 3) == pytest.approx([0, 1, 0], abs=1e-6)
    assert rgb("#ff0000", 0, 0.5) == pytest.approx([0.5, 0, 0])


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_look_lies_within_its_extent_and_is_not_too_thin(category):
    look = LOOKS[category]
    x, y = square(1.3 * extent(look), 160)
    _, cover = draw_look(look, x, y, 2.6 * extent(look) / 160, 0, 1)
    assert not cover[np.hypot(x, y) > extent(look) + 0.05].any()
    assert extent(look) < 1.6
    assert cover.sum() * (2.6 * extent(look) / 160) ** 2 > 0.75


@pytest.mark.parametrize("number", range(4))
def test_coverage_is_shared_between_objects(number):
    scene = plan_scene("ms3", "train", number, CATEGORIES)
    frames, visible = render_frames(scene, 48)
    assert frames.shape == (5, 48, 48, 3)
    assert visible.shape == (len(scene.objects), 5, 48, 48)
    assert visible.min() >= 0
    assert visible.sum(0).max() <= 1 + 1e-5
    assert (visible.max((1, 2, 3)) > 0.9).all()


def test_what_stands_in_front_hides_what_is_behind():
    scene = plan_scene("ms3", "train", 0, CATEGORIES)
    back, front = scene.objects[0], scene.objects[1]
    front = replace(front, centre=back.centre, velocity=back.velocity, radius=2 * back.radius)
    _, alone = render_frames(replace(scene, objects=(back,)), 64)
    _, both = render_frames(replace(scene, objects=(back, front)), 64)
    _, in_front = render_frames(replace(scene, objects=(front,)), 64)
    np.testing.assert_array_equal(both[1], in_front[0])
    np.testing.assert_allclose(both[0], alone[0] * (1 - in_front[0]), atol=1e-6)
    assert both[0].sum() < 0.9 * alone[0].sum()


def test_masks_are_the_visible_pixels_of_what_sounds_in_each_second():
    scene = plan_scene("ms3", "train", 0, CATEGORIES)
    first, second = scene.objects[:2]
    objects = (
        replace(first, sounding=(True, False, True, False, True), centre=(0.3, 0.3), velocity=(0, 0), radius=0.15),
        replace(second, sounding=(False, False, True, True, True), centre=(0.7, 0.7), velocity=(0, 0), radius=0.15),
    )
    scene = replace(scene, objects=objects)
    _, visible = render_frames(scene, 64)
    masks = render_masks(scene, visible)
    assert masks.dtype == bool
    np.testing.assert_array_equal(masks[0], visible[0, 0] >= 0.5)
    assert not masks[1].any()
    np.testing.assert_array_equal(masks[2], visible[:, 2].sum(0) >= 0.5)
    np.testing.assert_array_equal(masks[3], visible[1, 3] >= 0.5)


def test_a_scene_looks_the_same_at_any_size():
    scene = plan_scene("s4", "val", 3, CATEGORIES)
    (small, small_cover), (large, large_cover) = (render_frames(scene, size) for size in (56, 224))
    shrunk = large.reshape(5, 56, 4, 56, 4, 3).mean((2, 4))
    assert np.abs(shrunk - small).mean() < 4
    shrunk_cover = large_cover.reshape(-1, 5, 56, 4, 56, 4).mean((3, 5))
    assert np.abs(shrunk_cover - small_cover).mean() < 0.005


def test_frames_do_not_depend_on_which_others_are_drawn():
    scene = plan_scene("s4", "val", 3, CATEGORIES)
    times = tuple(index / 8 for index in range(40))
    frames, visible = render_frames(scene, 224, times)
    alone, visible_alone = render_frames(scene, 224)
    np.testing.assert_array_equal(frames[7::8], alone)
    np.testing.assert_array_equal(visible[:, 7::8], visible_alone)


def test_objects_move():
    moved = []
    for number in range(10):
        _, visible = render_frames(plan_scene("s4", "train", number, CATEGORIES), 64)
        both = np.minimum(visible[:, 0], visible[:, -1]).sum((1, 2)) / np.maximum(visible[:, 0], visible[:, -1]).sum(
            (1, 2)
        )
        moved.extend(both)
    assert np.median(moved) < 0.8


def test_what_is_off_is_silent_but_for_a_faint_room_tone():
    scene = plan_scene("ms3", "train", 0, CATEGORIES)
    item = replace(scene.objects[0], sounding=(False, True, False, False, True))
    sound = render_sound(replace(scene, objects=(item,))).astype(float) / 32768
    level = np.sqrt(np.mean(sound.reshape(5, -1) ** 2, axis=1))
    assert (level[[0, 2, 3]] < 5e-4).all()
    assert (level[[1, 4]] > 0.03).all()


def test_mixes_are_mono_16_bit_and_do_not_clip():
    for number in range(12):
        sound = render_sound(plan_scene("ms3", "train", number, CATEGORIES))
        assert sound.dtype == np.int16
        assert sound.shape == (80_000,)
        assert np.abs(sound.astype(int)).max() < 32767
