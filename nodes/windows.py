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
    """A deed of the past: when, and about how much if it was about money."""

    at: datetime
    amount: Money | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Somebody of a case whose deeds are measured, wherever they were done.

    Attributes:
        key: names the subject, from the event's data; on one key one proposal runs at a time.
        source: the reference that the facts name as their source.
        entries: the subject's deeds so far, from the records.
    """

    key: Callable[[Json], str]
    source: str
    entries: Callable[[Records], Sequence[Entry]]


AGENT = "agent"
"""The subject that every workflow has: whoever proposes. Their deeds are those of our own ledger."""
LEDGER = "ledger"
"""What facts about them name as their source."""

MOST_KEPT = 200
"""How many deeds of a window are recorded with its fact; more are not, and cannot be measured again."""


def as_kept(window: Window, entries: Sequence[Entry], now: datetime) -> Json:
    """A window as it is recorded, with its deeds, so that a shorter one can be measured from them."""
    inside = [entry for entry in entries if entry.at > now - window.over]
    deeds = [[entry.at.isoformat(), *_figures(entry.amount)] for entry in inside]
    return {
        "per": window.per,
        "over_seconds": int(window.over.total_seconds()),
        "deeds": deeds if len(deeds) <= MOST_KEPT else None,
    }


def kept(recorded: Json) -> list[Entry]:
    """The deeds that `as_kept` recorded, if it did."""
    return [
        Entry(
            at=datetime.fromisoformat(at),
            amount=None if currency is None else Money(amount_minor=minor, currency=currency),
        )
        for at, minor, currency in recorded["deeds"]
    ]


def _figures(amount: Money | None) -> tuple[int | None, str | None]:
    return (None, None) if amount is None else (amount.amount_minor, amount.currency)


def summed(window: Window, entries: Sequence[Entry], now: datetime, own: Money) -> Money:
    """This action's amount with those of the window in its currency; what bears a later date counts."""
    past = (entry.amount for entry in entries if entry.at > now - window.over)
    return sum((amount for amount in past if amount and amount.currency == own.currency), start=own)


def counted(window: Window, entries: Sequence[Entry], now: datetime) -> int:
    """How many deeds there are with this one."""
    return 1 + sum(entry.at > now - window.over for entry in entries)
