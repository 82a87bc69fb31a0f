"""Kinds of values, against defaults of every kind."""

import pytest

from avs_lightning.cli.values import compare
from avs_lightning.errors import UserError

DEFAULTS = {
    "flag": True,
    "count": 4,
    "rate": 0.1,
    "name": "a",
    "open": None,
    "stages": [1, 2],
    "clips": {"train": 8},
    "trainer": {"devices": 1},
}


@pytest.mark.parametrize(
    "given",
    [
        {"flag": False, "count": 0, "rate": 3, "name": 7, "open": [1], "stages": [], "clips": {"train": 1, "new": "x"}},
        dict.fromkeys(DEFAULTS),
        {"trainer": {"devices": "auto"}, "new": 1},
        {"trainer": {"devices": [0, 1]}},
    ],
)
def test_allowed(given: dict[str, object]) -> None:
    compare(DEFAULTS, given)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"flag": 1}, "flag=1: true or false"),
        ({"count": True}, "count=True: a whole number"),
        ({"count": 1.5}, "count=1.5: a whole number"),
        ({"count": "4 "}, "count=4 : a whole number"),
        ({"rate": "x"}, "rate=x: a number"),
        ({"rate": False}, "rate=False: a number"),
        ({"stages": 3}, "stages=3: a list"),
        ({"stages": {"a": 1}}, "stages={'a': 1}: a list"),
        ({"clips": 3}, "clips=3: settings"),
        ({"clips": {"train": "x"}}, "clips.train=x: a whole number is needed here, like the default 8"),
    ],
)
def test_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        compare(DEFAULTS, given)
    assert str(caught.value).startswith(message)
