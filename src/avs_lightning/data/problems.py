"""What `avs data check` has found: listed by cause, and written out whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file.

    Attributes:
        kind: what is wrong in a few words, the same for all problems of the kind, such as "frame missing".
        clip: the id of the clip; "" where it is about them all.
        path: the file or folder.
        detail: what was found and what is expected.
        note: whether the data set can be used as if nothing was wrong.
    """

    kind: str
    clip: str
    path: Path
    detail: str
    note: bool = False


def problem_lines(problems: Sequence[Problem]) -> list[Text]:
    """Say each cause once, the commonest first and notes last: how many files, what was found, and one of them.

    Problems of one kind whose details differ in numbers and in the clip's name alone have one cause.
    """
    if not problems:
        return [Text("Nothing is wrong.")]
    causes: dict[tuple[bool, str, str], list[Problem]] = {}
    for problem in problems:
        detail = problem.detail.replace(str(problem.path), "").replace(problem.clip or "\0", "")
        cause = (problem.note, problem.kind, re.sub(r"\d[\d.,]*", "#", detail))
        causes.setdefault(cause, []).append(problem)
    lines = []
    for (note, kind, _), found in sorted(causes.items(), key=lambda item: _rank(*item[1])):
        first, files = found[0], f"{len(found):,} file{'s' * (len(found) > 1)}"
        lines.append(Text.assemble((kind, "bold"), f"{' (note)' if note else ''}: {files}"))
        lines += [
            Text(f"  {text}") for text in (first.detail, f"{'e.g. ' if len(found) > 1 else ''}{first.path}") if text
        ]
    notes = sum(problem.note for problem in problems)
    lines.append(Text(f"{len(problems) - notes:,} problems and {notes:,} notes, of {len(causes)} causes."))
    return lines


def _rank(first: Problem, *others: Problem) -> tuple[bool, bool, int]:
    """Notes last, what is about all clips first, then by the number of files."""
    return first.note, first.clip != "", -len(others)
