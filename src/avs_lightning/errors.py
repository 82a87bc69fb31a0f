"""The one error that users are meant to see."""

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


class UserError(Exception):
    """Something that the user can mend: says what is wrong, where, what is allowed and what to do.

    The command line prints the message without a stack trace and exits with code 1.
    """

    def __init__(self, message: str) -> None:
        # A DataLoader's worker hands its error on as the text of its stack trace, which ends with the message.
        super().__init__(message.rpartition(f"{__name__}.{type(self).__name__}: ")[2].rstrip("\n"))


def near_matches(name: str, allowed: Iterable[str], most: int = 5) -> str:
    """Return "; did you mean a, b?" for the entries of `allowed` that look like `name`, or nothing."""
    close = difflib.get_close_matches(name, list(allowed), n=most, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""


def choose(value: T, allowed: Iterable[T], setting: str, hint: str = "") -> T:
    """Return `value`, which has to be one of `allowed`.

    Args:
        value: as it was given.
        allowed: every value that means something.
        setting: what it was given for, and where: "data.audio", "study.yaml, layout: rows".
        hint: what else can be done, behind what is allowed.

    Raises:
        UserError: it is none of them: names near matches, and all that there are.
    """
    values = list(allowed)
    if value not in values:
        names = [str(name) for name in values]
        raise UserError(
            f"{setting}={value} is unknown{near_matches(str(value), names)} "
            f"(allowed: {', '.join(names) or 'none'}){hint}"
        )
    return value


def shortened(lines: Sequence[str], most: int = 8) -> list[str]:
    """Return the first lines of a long list, and how many more there are."""
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]
