"""What each category sounds like: one row of synthesis parameters each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Voice:
    """How a category makes its sound; `sounds.synthesise` reads it.

    Attributes:
        notes: Hz; each event takes one of them.
        rate: events a second.
        band: Hz; the sound is confined to it.
        slope: harmonic h of the source has amplitude h ** -slope.
        ratios: frequencies of further copies of the source over the note; bells and drums are not harmonic.
        breath: share of noise in the source, 0 to 1.
        jitter: how irregular the events are, as a share of their distance.
        attack: seconds.
        decay: seconds until an event has fallen to 1/e; None holds it.
        duty: share of the distance between events that sounds.
        glide: semitones over an event, at equal distances in time.
        vibrato: Hz and semitones.
        tremolo: Hz and depth, 0 to 1.
        resonances: spectral peaks as (Hz, width in octaves, gain over a floor of 1).
    """

    notes: tuple[float, ...]
    rate: float
    band: tuple[float, float]
    slope: float = 1.0
    ratios: tuple[float, ...] = (1.0,)
    breath: float = 0.0
    jitter: float = 0.1
    attack: float = 0.01
    decay: float | None = None
    duty: float = 1.0
    glide: tuple[float, ...] = (0.0, 0.0)
    vibrato: tuple[float, float] = (5.0, 0.0)
    tremolo: tuple[float, float] = (1.0, 0.0)
    resonances: tuple[tuple[float, float, float], ...] = ()


VOICES: dict[str, Voice] = {
    "ambulance_siren": Voice((760,), 1.3, (600, 5000), slope=1.6, jitter=0.0, glide=(0, 12, 0)),
    "baby_laughter": Voice(
        (420, 460, 500), 4.6, (350, 5000), slope=0.7, breath=0.15, decay=0.09, duty=0.75, glide=(3, -4),
        resonances=((1100, 0.5, 8), (3300, 0.4, 9)),
    ),
    "cap_gun_shooting": Voice(
        (200,), 3.2, (150, 7800), breath=1.0, jitter=0.35, attack=0.001, decay=0.05, resonances=((1800, 1.2, 2),)
    ),
    "cat_meowing": Voice(
        (560, 620, 680), 1.4, (450, 6000), slope=0.6, attack=0.06, duty=0.92, glide=(-3, 3, 0, -5),
        resonances=((1700, 0.35, 10), (2600, 0.3, 5)),
    ),
    "chainsawing_trees": Voice(
        (105, 112), 1.6, (200, 7500), slope=0.1, breath=0.2, jitter=0.3, glide=(-4, 3, 2, -1), tremolo=(27, 0.4),
        resonances=((2400, 0.8, 5),),
    ),
    "coyote_howling": Voice(
        (480, 520, 570), 0.8, (350, 2500), slope=3.2, attack=0.08, glide=(-6, 4, 5, 4, -2), vibrato=(6.5, 0.25)
    ),
    "dog_barking": Voice(
        (310, 340), 3.0, (250, 3000), slope=0.5, breath=0.35, jitter=0.25, attack=0.008, decay=0.08, duty=0.6,
        glide=(4, -7), resonances=((650, 0.5, 8), (1300, 0.4, 4)),
    ),
    "driving_buses": Voice(
        (68, 74), 0.7, (70, 420), slope=0.5, breath=0.45, glide=(-1, 1, -1), tremolo=(9, 0.2),
        resonances=((190, 0.6, 4),),
    ),
    "female_singing": Voice(
        (392, 440, 494, 587), 1.9, (350, 4500), slope=1.1, jitter=0.2, attack=0.04, glide=(-0.7, 0, 0),
        vibrato=(5.8, 0.5), resonances=((850, 0.4, 5), (2900, 0.25, 12)),
    ),
    "helicopter": Voice(
        (60,), 11.0, (90, 1300), breath=0.9, jitter=0.02, attack=0.012, decay=0.03, resonances=((330, 0.9, 4),)
    ),
    "horse_clip-clop": Voice(
        (820, 1180), 4.6, (500, 2600), slope=2.0, ratios=(1.0, 1.52), breath=0.25, jitter=0.25, attack=0.001,
        decay=0.022, glide=(2, -2), resonances=((1000, 0.6, 6),),
    ),
    "lawn_mowing": Voice(
        (88, 92), 0.6, (250, 3200), slope=0.4, breath=0.75, glide=(0, 0.4, 0), tremolo=(44, 0.5),
        resonances=((900, 0.8, 4),),
    ),
    "lions_roaring": Voice(
        (82, 96), 1.2, (90, 1100), slope=0.3, breath=0.3, attack=0.12, duty=0.95, glide=(-3, 4, -6),
        tremolo=(24, 0.6), resonances=((420, 0.5, 8), (760, 0.4, 4)),
    ),
    "male_speech": Voice(
        (108, 118, 132), 4.2, (110, 3800), slope=0.5, breath=0.06, jitter=0.35, attack=0.02, duty=0.78,
        glide=(1.5, -2), resonances=((520, 0.4, 9), (1400, 0.3, 6), (2500, 0.3, 5)),
    ),
    "mynah_bird_singing": Voice(
        (2700, 3300, 4100), 6.5, (2200, 7500), slope=3.0, jitter=0.35, attack=0.008, duty=0.7, glide=(4, -5, 3)
    ),
    "playing_acoustic_guitar": Voice(
        (110, 147, 165, 196, 220), 3.6, (100, 4200), slope=0.9, attack=0.002, decay=0.28,
        resonances=((220, 0.6, 3),),
    ),
    "playing_glockenspiel": Voice(
        (1568, 1760, 2093, 2349), 4.0, (1300, 7800), slope=3.0, ratios=(1.0, 2.76), attack=0.001, decay=0.22
    ),
    "playing_piano": Voice(
        (262, 330, 392, 523, 659), 4.2, (220, 3000), slope=1.7, attack=0.003, decay=0.3
    ),
    "playing_tabla": Voice(
        (165, 240, 310), 5.2, (110, 1000), slope=2.5, ratios=(1.0, 1.5, 1.98), breath=0.08, jitter=0.2,
        attack=0.002, decay=0.07, glide=(5, 0, -1),
    ),
    "playing_ukulele": Voice(
        (392, 523, 587, 659, 880), 6.5, (380, 6500), slope=0.5, jitter=0.2, attack=0.001, decay=0.075,
        resonances=((1400, 0.7, 3), (4200, 0.8, 3)),
    ),
    "playing_violin": Voice(
        (587, 659, 784, 880), 2.2, (550, 7800), slope=0.55, jitter=0.2, attack=0.03, glide=(-0.4, 0, 0),
        vibrato=(6.0, 0.4), resonances=((3000, 0.6, 4),),
    ),
    "race_car": Voice(
        (230, 250), 1.25, (220, 6000), slope=0.4, breath=0.08, jitter=0.25, glide=(-3, 6, 11),
        resonances=((900, 0.9, 3),),
    ),
    "typing_on_computer_keyboard": Voice(
        (2500,), 10.0, (2200, 7900), slope=1.0, breath=0.95, jitter=0.45, attack=0.0006, decay=0.008,
        resonances=((4500, 0.5, 5),),
    ),
}  # fmt: skip
