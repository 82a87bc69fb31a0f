"""Whether a network listens, in words."""

import pytest

from avs_lightning.reporting.verdict import verdict


def heard(**mious: float) -> dict[str, dict[str, float]]:
    return {sound: {"miou_frame": miou} for sound, miou in mious.items()}


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        (heard(true=0.394, muted=0.387), "does not listen: 39.4 with its own sound, 38.7 in silence"),
        (
            heard(true=0.394, muted=0.1, noise=0.12, swapped=0.2, permuted=0.3),
            "listens: 39.4 with its own sound, 10.0 in silence, 20.0 with another clip's sound, "
            "30.0 with its own, seconds permuted (followed by the second)",
        ),
        (
            heard(true=0.394, muted=0.1, swapped=0.39, permuted=0.39),
            "listens in part: 39.4 with its own sound, 10.0 in silence, 39.0 with another clip's sound, "
            "39.0 with its own, seconds permuted (not followed by the second)",
        ),
        (heard(true=0.2, muted=0.3, permuted=0.2), "does not listen: 20.0 with its own sound, 30.0 in silence"),
    ],
)
def test_the_verdict_comes_from_what_false_sounds_cost(scores: dict[str, dict[str, float]], text: str) -> None:
    assert verdict(scores) == text


def test_nothing_is_said_without_a_false_sound() -> None:
    assert verdict(heard(true=0.5)) is None
    assert verdict(heard(true=0.5, permuted=0.1)) is None
