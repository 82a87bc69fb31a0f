"""The one error that users are meant to see."""

import difflib
from collections.abc import Iterable
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


def choose(value: T, allowed: Iterable[T], key: str) -> T:
    """Return a value that is one of those allowed.

    Args:
        value: of a setting.
        allowed: in the order in which they are listed.
        key: of the setting.

    Raises:
        UserError: it is none of them; lists them, near matches first.
    """
    if value not in (names := list(allowed)):
        near = near_matches(str(value), map(str, names))
        raise UserError(f"{key}={value} is unknown{near} (allowed: {', '.join(map(str, names))})")
    return value
