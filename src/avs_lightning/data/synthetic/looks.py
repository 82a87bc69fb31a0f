"""What each category looks like and how it moves."""

from avs_lightning.data.synthetic.parts import Look, Motion, Part


def _face(skin: str, hair: str) -> tuple[Part, ...]:
    return (
        Part("ellipse", 0, 0.05, 0.6, 0.72, skin),
        Part("box", 0, -0.56, 0.56, 0.2, hair, soft=0.18),
        Part("ellipse", -0.24, -0.05, 0.09, 0.11, "#222222"),
        Part("ellipse", 0.24, -0.05, 0.09, 0.11, "#222222"),
    )


def _strings(wood: str, dark: str, neck: str, waist: float) -> tuple[Part, ...]:
    return (
        Part("box", 0, -0.62, 0.13, 0.5, neck),
        Part("ellipse", 0, 0.02, 0.42 * waist, 0.34, wood),
        Part("ellipse", 0, 0.52, 0.56 * waist, 0.44, wood),
        Part("ellipse", 0, 0.22, 0.18, 0.18, dark),
        Part("box", 0, 0.66, 0.24, 0.06, dark),
        Part("box", 0, -1.06, 0.19, 0.15, dark, soft=0.05),
    )


LOOKS: dict[str, Look] = {
    "ambulance_siren": Look(
        (
            Part("box", 0, 0.05, 0.95, 0.5, "#f4f4f0", soft=0.1),
            Part("box", 0, 0.2, 0.95, 0.1, "#d8262c"),
            Part("box", -0.25, -0.12, 0.3, 0.09, "#d8262c"),
            Part("box", -0.25, -0.12, 0.09, 0.28, "#d8262c"),
            Part("box", 0.65, -0.15, 0.22, 0.2, "#7fc4e8"),
            Part("box", 0.1, -0.52, 0.24, 0.1, "#2456e0", soft=0.05),
            Part("ellipse", -0.5, 0.6, 0.22, 0.22, "#26262a"),
            Part("ellipse", 0.5, 0.6, 0.22, 0.22, "#26262a"),
        ),
        Motion(bob=0.02, bob_rate=2.0, swing=1.0, speed=1.5),
    ),
    "baby_laughter": Look(
        (
            Part("ellipse", -0.78, 0.0, 0.2, 0.24, "#f2b79a"),
            Part("ellipse", 0.78, 0.0, 0.2, 0.24, "#f2b79a"),
            Part("ellipse", 0, 0, 0.8, 0.78, "#ffd2b8"),
            Part("ellipse", 0.1, -0.72, 0.2, 0.18, "#c98a3a"),
            Part("ellipse", -0.45, 0.22, 0.17, 0.13, "#ff9a94"),
            Part("ellipse", 0.45, 0.22, 0.17, 0.13, "#ff9a94"),
            Part("ellipse", -0.28, -0.14, 0.1, 0.13, "#222222"),
            Part("ellipse", 0.28, -0.14, 0.1, 0.13, "#222222"),
            Part("ellipse", 0, 0.42, 0.28, 0.18, "#a8202c"),
        ),
        Motion(bob=0.08, bob_rate=1.6, swing=9, swing_rate=0.8),
        0.95,
    ),
    "cap_gun_shooting": Look(
        (
            Part("wedge", 0.5, 0.42, 0.26, 0.5, "#ff7a1a", turn=-12, taper=-0.2),
            Part("box", -0.1, -0.25, 0.88, 0.24, "#4a4a55", soft=0.06),
            Part("box", -0.9, -0.25, 0.14, 0.28, "#ff3b14"),
            Part("ring", 0.08, 0.16, 0.26, 0.24, "#4a4a55", taper=0.09),
            Part("box", 0.2, -0.25, 0.4, 0.1, "#8a8a99", paint="stripes", second="#4a4a55", count=4),
        ),
        Motion(swing=14, swing_rate=1.0),
        1.05,
    ),
    "cat_meowing": Look(
        (
            Part("wedge", -0.46, -0.62, 0.3, 0.36, "#f0912e", turn=-18, taper=1),
            Part("wedge", 0.46, -0.62, 0.3, 0.36, "#f0912e", turn=18, taper=1),
            Part("ellipse", 0, 0.08, 0.78, 0.68, "#f79d3c", paint="stripes", second="#c9661a", count=5),
            Part("ellipse", 0, 0.36, 0.42, 0.34, "#fff0dc"),
            Part("ellipse", -0.32, -0.08, 0.15, 0.18, "#6fdc4a"),
            Part("ellipse", 0.32, -0.08, 0.15, 0.18, "#6fdc4a"),
            Part("box", -0.32, -0.08, 0.05, 0.15, "#111111"),
            Part("box", 0.32, -0.08, 0.05, 0.15, "#111111"),
            Part("wedge", 0, 0.24, 0.12, 0.08, "#e0566a", turn=180, taper=1),
        ),
        Motion(swing=8, swing_rate=0.4, bob=0.06),
        0.95,
    ),
    "chainsawing_trees": Look(
        (
            Part("box", -0.5, 0.02, 0.6, 0.16, "#b9bec4", soft=0.14, paint="stripes", second="#6d737a", count=9),
            Part("box", 0.48, 0.02, 0.42, 0.38, "#f05a14", soft=0.12),
            Part("ring", 0.55, -0.38, 0.32, 0.26, "#222222", taper=0.1),
            Part("box", 0.5, 0.1, 0.24, 0.14, "#222222"),
            Part("box", 0.92, 0.12, 0.16, 0.26, "#222222", soft=0.08),
        ),
        Motion(bob=0.05, bob_rate=3.0, swing=6, swing_rate=2.2),
        1.05,
    ),
    "coyote_howling": Look(
        (
            Part("ellipse", 0.15, 0.5, 0.42, 0.55, "#8d7f70"),
            Part("ellipse", 0.2, 0.6, 0.22, 0.4, "#d9cfc0"),
            Part("box", -0.05, -0.05, 0.24, 0.42, "#8d7f70", turn=-25, soft=0.15),
            Part("ellipse", -0.15, -0.4, 0.36, 0.28, "#8d7f70"),
            Part("wedge", -0.5, -0.68, 0.16, 0.42, "#9c8e7e", turn=-42, taper=0.6),
            Part("wedge", 0.2, -0.5, 0.13, 0.28, "#5d5248", turn=60, taper=1),
            Part("ellipse", -0.78, -0.96, 0.1, 0.1, "#1c1c1c"),
            Part("ellipse", 0.72, 0.78, 0.36, 0.16, "#6f6357", turn=-20),
        ),
        Motion(swing=7, swing_rate=0.25, speed=0.6),
        1.05,
    ),
    "dog_barking": Look(
        (
            Part("ellipse", 0, 0.05, 0.66, 0.72, "#8a5a33"),
            Part("ellipse", -0.66, 0.02, 0.22, 0.55, "#4d2f1a", turn=10),
            Part("ellipse", 0.66, 0.02, 0.22, 0.55, "#4d2f1a", turn=-10),
            Part("ellipse", 0, 0.38, 0.4, 0.36, "#e8d2b4"),
            Part("ellipse", 0, 0.2, 0.18, 0.13, "#151515"),
            Part("ellipse", -0.28, -0.18, 0.1, 0.12, "#151515"),
            Part("ellipse", 0.28, -0.18, 0.1, 0.12, "#151515"),
            Part("box", 0, 0.66, 0.13, 0.2, "#f2627a", soft=0.1),
        ),
        Motion(bob=0.1, bob_rate=1.4, swing=6, swing_rate=0.7),
    ),
    "driving_buses": Look(
        (
            Part("box", 0, 0, 1.05, 0.55, "#f2c11e", soft=0.12),
            Part("box", -0.1, -0.18, 0.82, 0.2, "#30506e", paint="stripes", second="#f2c11e", count=5),
            Part("box", 0.92, -0.12, 0.12, 0.28, "#30506e"),
            Part("box", 0, 0.25, 1.05, 0.07, "#2d2d2d"),
            Part("ellipse", -0.58, 0.56, 0.23, 0.23, "#26262a"),
            Part("ellipse", 0.58, 0.56, 0.23, 0.23, "#26262a"),
            Part("ellipse", -0.58, 0.56, 0.1, 0.1, "#c9c9c9"),
            Part("ellipse", 0.58, 0.56, 0.1, 0.1, "#c9c9c9"),
        ),
        Motion(bob=0.02, bob_rate=1.2, swing=1, speed=1.2),
        1.05,
    ),
    "female_singing": Look(
        (
            Part("ellipse", 0, 0.15, 0.82, 0.95, "#5a1f5c"),
            Part("wedge", 0, 0.88, 0.62, 0.26, "#e62e8a", taper=0.4),
            *_face("#f3c4a2", "#6b2670"),
            Part("ellipse", 0, 0.4, 0.16, 0.17, "#c2183a"),
        ),
        Motion(swing=7, swing_rate=0.4, bob=0.04),
    ),
    "helicopter": Look(
        (
            Part("box", 0.62, 0.02, 0.48, 0.14, "#2a8c6a", soft=0.05),
            Part("wedge", 1.0, -0.12, 0.16, 0.3, "#d6e04a"),
            Part("box", -0.16, -0.42, 0.12, 0.2, "#333333"),
            Part("ellipse", -0.16, 0.14, 0.68, 0.5, "#35a97f"),
            Part("ellipse", -0.44, 0.06, 0.3, 0.28, "#c4f0ff"),
            Part("box", -0.16, -0.56, 1.0, 0.1, "#2b2b2b", soft=0.1),
            Part("box", -0.16, 0.72, 0.6, 0.1, "#2b2b2b", soft=0.1),
        ),
        Motion(bob=0.12, bob_rate=0.5, swing=7, swing_rate=0.4, speed=1.4),
        1.05,
    ),
    "horse_clip-clop": Look(
        (
            Part("box", -0.45, 0.62, 0.1, 0.36, "#6b3a1c"),
            Part("box", -0.2, 0.62, 0.1, 0.36, "#54290f"),
            Part("box", 0.3, 0.62, 0.1, 0.36, "#54290f"),
            Part("box", 0.52, 0.62, 0.1, 0.36, "#6b3a1c"),
            Part("ellipse", 0.05, 0.16, 0.7, 0.36, "#7d4421"),
            Part("box", -0.52, -0.3, 0.2, 0.46, "#7d4421", turn=-28, soft=0.1),
            Part("ellipse", -0.84, -0.58, 0.34, 0.18, "#7d4421", turn=-25),
            Part("box", -0.36, -0.42, 0.1, 0.42, "#1d1108", turn=-28),
            Part("ellipse", 0.84, 0.2, 0.14, 0.42, "#1d1108", turn=-12),
        ),
        Motion(bob=0.1, bob_rate=2.0, swing=4, swing_rate=1.0, speed=1.4),
        1.05,
    ),
    "lawn_mowing": Look(
        (
            Part("box", 0.62, -0.35, 0.09, 0.72, "#5b5b5b", turn=32),
            Part("box", 0.98, -0.9, 0.2, 0.09, "#1f1f1f"),
            Part("wedge", -0.15, 0.24, 0.76, 0.28, "#2fae3c", taper=0.3),
            Part("box", -0.15, -0.12, 0.3, 0.18, "#1f6b2a", paint="bands", second="#4fd05e", count=3),
            Part("ellipse", -0.68, 0.58, 0.26, 0.26, "#2b2b2b"),
            Part("ellipse", 0.4, 0.54, 0.32, 0.32, "#2b2b2b"),
            Part("ellipse", 0.4, 0.54, 0.13, 0.13, "#e8e83c"),
        ),
        Motion(bob=0.03, bob_rate=3.0, swing=2, swing_rate=2.0, speed=1.3),
        1.05,
    ),
    "lions_roaring": Look(
        (
            Part("ellipse", 0, 0, 0.98, 0.98, "#a34f12", paint="rings", second="#c96c1c", count=4),
            Part("ellipse", 0, 0.08, 0.62, 0.6, "#e9b04e"),
            Part("ellipse", 0, 0.34, 0.36, 0.28, "#f8e2b0"),
            Part("wedge", 0, 0.16, 0.16, 0.11, "#3a2010", turn=180, taper=1),
            Part("ellipse", -0.26, -0.1, 0.1, 0.1, "#1a1208"),
            Part("ellipse", 0.26, -0.1, 0.1, 0.1, "#1a1208"),
            Part("ellipse", 0, 0.47, 0.2, 0.12, "#7a1c1c"),
        ),
        Motion(swing=6, swing_rate=0.3, pulse=0.05),
    ),
    "male_speech": Look(
        (
            Part("wedge", 0, 0.86, 0.82, 0.28, "#1f3f8a", taper=0.35),
            Part("wedge", 0, 0.84, 0.13, 0.24, "#d8262c", turn=180, taper=0.5),
            *_face("#d9a273", "#2a1a10"),
            Part("box", 0, 0.52, 0.42, 0.2, "#2a1a10", soft=0.18),
            Part("ellipse", 0, 0.44, 0.18, 0.08, "#b04a4a"),
        ),
        Motion(swing=4, swing_rate=0.5, bob=0.03),
    ),
    "mynah_bird_singing": Look(
        (
            Part("wedge", 0.75, 0.42, 0.18, 0.42, "#15151c", turn=125, taper=-0.3),
            Part("ellipse", 0.12, 0.16, 0.68, 0.5, "#20202c"),
            Part("ellipse", 0.26, 0.16, 0.4, 0.28, "#3a3a5c", turn=20, paint="bands", second="#f0f0f0", count=2),
            Part("ellipse", -0.46, -0.34, 0.38, 0.36, "#20202c"),
            Part("wedge", -0.96, -0.3, 0.13, 0.26, "#ffb01f", turn=-95, taper=1),
            Part("ellipse", -0.42, -0.32, 0.2, 0.1, "#ffd21f", turn=20),
            Part("ellipse", -0.54, -0.42, 0.08, 0.08, "#ffffff"),
            Part("box", 0.0, 0.78, 0.07, 0.2, "#ffb01f"),
            Part("box", 0.24, 0.78, 0.07, 0.2, "#ffb01f"),
        ),
        Motion(bob=0.14, bob_rate=1.8, swing=8, swing_rate=0.9),
        0.95,
    ),
    "playing_acoustic_guitar": Look(
        _strings("#c98232", "#3a2010", "#4d2f1a", 1.2), Motion(swing=9, swing_rate=0.5), 1.05
    ),
    "playing_glockenspiel": Look(
        (
            Part("wedge", 0, 0, 0.84, 0.74, "#6b4a2b", turn=90, taper=0.45),
            Part("box", -0.54, 0, 0.1, 0.7, "#e8384f"),
            Part("box", -0.27, 0, 0.1, 0.62, "#ff9a1f"),
            Part("box", 0.0, 0, 0.1, 0.54, "#ffe03a"),
            Part("box", 0.27, 0, 0.1, 0.46, "#46d86a"),
            Part("box", 0.54, 0, 0.1, 0.38, "#3aa0ff"),
        ),
        Motion(swing=4, swing_rate=0.4),
        1.05,
    ),
    "playing_piano": Look(
        (
            Part("box", 0, -0.15, 1.0, 0.6, "#1a1a1e", soft=0.08),
            Part("box", 0, 0.3, 0.98, 0.26, "#fbfbf4", paint="stripes", second="#55555a", count=12),
            Part("box", 0, 0.2, 0.9, 0.13, "#1a1a1e", paint="stripes", second="#fbfbf4", count=7),
            Part("box", 0, -0.4, 0.5, 0.18, "#8a1f1f"),
            Part("box", -0.84, 0.74, 0.1, 0.24, "#1a1a1e"),
            Part("box", 0.84, 0.74, 0.1, 0.24, "#1a1a1e"),
        ),
        Motion(bob=0.01, swing=1.5, speed=0.6),
    ),
    "playing_tabla": Look(
        (
            Part("wedge", -0.5, 0.26, 0.46, 0.5, "#b0b4bc", taper=-0.25, paint="bands", second="#7d828c", count=3),
            Part("wedge", 0.52, 0.26, 0.4, 0.5, "#8a3b1c", taper=-0.2, paint="stripes", second="#e0a050", count=5),
            Part("ellipse", -0.5, -0.24, 0.56, 0.3, "#f3e6cc"),
            Part("ellipse", 0.52, -0.24, 0.48, 0.27, "#f3e6cc"),
            Part("ellipse", -0.5, -0.24, 0.24, 0.13, "#18181a"),
            Part("ellipse", 0.52, -0.24, 0.22, 0.12, "#18181a"),
        ),
        Motion(bob=0.03, swing=3, swing_rate=0.8, speed=0.6),
    ),
    "playing_ukulele": Look(
        _strings("#5fd0d6", "#f4f4f0", "#f0b23c", 0.95), Motion(swing=12, swing_rate=0.8, bob=0.06), 0.9
    ),
    "playing_violin": Look(
        (
            *_strings("#a8281c", "#160c08", "#160c08", 1.05),
            Part("box", 0.28, 0.26, 0.11, 0.95, "#f0e2b8", turn=62),
        ),
        Motion(swing=10, swing_rate=0.7),
        1.05,
    ),
    "race_car": Look(
        (
            Part("wedge", 0.0, 0.1, 1.05, 0.22, "#e01e1e", taper=0.35),
            Part("box", 0.9, -0.3, 0.2, 0.08, "#1d1d8a"),
            Part("box", 0.9, -0.12, 0.08, 0.2, "#1d1d8a"),
            Part("ellipse", 0.05, -0.14, 0.34, 0.24, "#1d1d8a"),
            Part("ellipse", 0.0, 0.1, 0.18, 0.17, "#ffffff"),
            Part("ellipse", -0.62, 0.34, 0.28, 0.28, "#17171a"),
            Part("ellipse", 0.6, 0.32, 0.32, 0.32, "#17171a"),
            Part("ellipse", -0.62, 0.34, 0.12, 0.12, "#f0d020"),
            Part("ellipse", 0.6, 0.32, 0.14, 0.14, "#f0d020"),
        ),
        Motion(bob=0.02, bob_rate=3.0, swing=1.5, swing_rate=1.5, speed=2.0),
        1.1,
    ),
    "typing_on_computer_keyboard": Look(
        (
            Part("box", 0, 0, 1.1, 0.52, "#d5d0e8", soft=0.1),
            Part("box", 0, -0.08, 0.98, 0.32, "#6a4fd0", paint="checks", second="#efeaff", count=7),
            Part("box", 0, 0.36, 0.5, 0.08, "#6a4fd0", soft=0.04),
        ),
        Motion(bob=0.02, bob_rate=2.5, swing=2, speed=0.8),
        1.05,
    ),
}
