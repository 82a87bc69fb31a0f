"""The categories that a synthetic clip may hold: the 23 of AVSBench S4."""

from collections.abc import Sequence

from avs_lightning.errors import UserError, choose

CATEGORIES = (
    "ambulance_siren",
    "baby_laughter",
    "cap_gun_shooting",
    "cat_meowing",
    "chainsawing_trees",
    "coyote_howling",
    "dog_barking",
    "driving_buses",
    "female_singing",
    "helicopter",
    "horse_clip-clop",
    "lawn_mowing",
    "lions_roaring",
    "male_speech",
    "mynah_bird_singing",
    "playing_acoustic_guitar",
    "playing_glockenspiel",
    "playing_piano",
    "playing_tabla",
    "playing_ukulele",
    "playing_violin",
    "race_car",
    "typing_on_computer_keyboard",
)

DEMO_CATEGORIES = (
    "ambulance_siren",
    "driving_buses",
    "helicopter",
    "playing_glockenspiel",
    "playing_violin",
    "typing_on_computer_keyboard",
)
"""Six categories whose looks and sounds lie far apart, in the order in which to take fewer."""


def choose_categories(categories: Sequence[str] | int | None) -> tuple[str, ...]:
    """Return the categories asked for, in the order of `CATEGORIES`.

    Args:
        categories: names, a number (the first that many of the demo's six, then of the others), or None for all 23.

    Raises:
        UserError: an unknown or repeated name, or fewer than two (an object needs another one beside it).
    """
    if categories is None:
        return CATEGORIES
    if isinstance(categories, int):
        rest = [c for c in CATEGORIES if c not in DEMO_CATEGORIES]
        if not 2 <= categories <= len(CATEGORIES):
            raise UserError(f"categories={categories}: give a number from 2 to {len(CATEGORIES)}, or names")
        chosen: Sequence[str] = [*DEMO_CATEGORIES, *rest][:categories]
    else:
        chosen = [categories] if isinstance(categories, str) else list(categories)
    for name in chosen:
        choose(name, CATEGORIES, "category")
    if len(set(chosen)) != len(chosen):
        raise UserError(f"categories: {', '.join(sorted({c for c in chosen if chosen.count(c) > 1}))} given twice")
    if len(chosen) < 2:
        raise UserError("categories: at least two are needed, so that a silent object can stand beside a sounding one")
    return tuple(c for c in CATEGORIES if c in chosen)
