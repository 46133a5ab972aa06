"""Excerpts: the few lines of a log that are looked at, chosen by fixed code and bounded."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

MOST_LINES = 40
MOST_CHARACTERS = 240
AROUND = timedelta(minutes=15)
"""How far from the alert a line may be."""

_LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([A-Z]+) ")
_TELLING = frozenset({"WARN", "ERROR", "FATAL"})
_CUT = " […]"


def excerpt(lines: Sequence[str], at: datetime) -> tuple[str, ...]:
    """The warnings and errors around a time, in their order: of too many those nearest to it.

    A line that does not begin with a time and a level belongs to none, and is left out; one that is too long
    is cut, and says so.
    """
    near = [
        (abs(when - at), place)
        for place, line in enumerate(lines)
        if (when := _when(line)) is not None and abs(when - at) <= AROUND
    ]
    return tuple(_short(lines[place]) for place in sorted(place for _, place in sorted(near)[:MOST_LINES]))


def errors_in(lines: Sequence[str]) -> int:
    """How many warnings and errors there are in all."""
    return sum(_when(line) is not None for line in lines)


def _when(line: str) -> datetime | None:
    """The time of a line that is a warning or worse."""
    begins = _LINE.match(line)
    if begins is None or begins[2] not in _TELLING:
        return None
    try:
        return datetime.fromisoformat(begins[1])
    except ValueError:
        return None


def _short(line: str) -> str:
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - len(_CUT)] + _CUT
