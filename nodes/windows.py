"""Windows: sums and counts over the last hours of somebody's deeds, so that many small ones are not small."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nodes.records import Records
from nodes.shapes import Json
from tools.money import Money


class Measure(StrEnum):
    """What is measured over a window."""

    SUM = "sum"
    COUNT = "count"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A fact over a window, as a rule table declares it.

    Attributes:
        of: for a sum, the fact that holds this action's own amount.
        per: whose deeds: a subject that the workflow knows.
        over: how far back, from now.
    """

    measure: Measure
    of: str | None
    per: str
    over: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A deed of the past: when, and about how much."""

    at: datetime
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Somebody whose deeds are measured.

    Attributes:
        key: names the subject of a case, from the event's data; on one key one proposal runs at a time.
        source: the reference that the facts name as their source.
        entries: the subject's deeds so far, from the records.
    """

    key: Callable[[Json], str]
    source: str
    entries: Callable[[Records], Sequence[Entry]]


def summed(window: Window, entries: Sequence[Entry], now: datetime, own: Money) -> Money:
    """This action's amount with those of the window in its currency; what bears a later date counts."""
    past = (entry.amount for entry in entries if entry.at > now - window.over)
    return sum((amount for amount in past if amount.currency == own.currency), start=own)


def counted(window: Window, entries: Sequence[Entry], now: datetime) -> int:
    """How many deeds there are with this one."""
    return 1 + sum(entry.at > now - window.over for entry in entries)
