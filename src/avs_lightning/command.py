"""The command that a user typed, known in every process that it starts."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "AVS_COMMAND"


@contextmanager
def typed(words: Sequence[str]) -> Iterator[None]:
    """Keep the words of a command line for the records of runs, those of child processes included.

    In such a child (a rank, a cell of a sweep), whose own command line nobody typed, the first one stays.
    """
    if VARIABLE in os.environ:
        yield
        return
    os.environ[VARIABLE] = json.dumps(list(words))
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def typed_words() -> list[str]:
    """Return the words that the user typed; outside `avs`, those of the present process."""
    try:
        words = json.loads(os.environ[VARIABLE])
        return [str(word) for word in words]
    except (KeyError, ValueError, TypeError):
        return [Path(sys.argv[0]).name, *sys.argv[1:]]
