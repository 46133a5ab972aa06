"""Windows: what counts towards a sum or a count, to the second, and what a date window reads."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.facts import Facts, Moment
from nodes.rule_files import read_table
from nodes.windows import Entry, Measure, Window, counted, summed
from tools.money import Money

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = Window(measure=Measure.SUM, of="amount", per="customer", over=timedelta(hours=24))


def euros(minor: int, currency: str = "EUR") -> Money:
    return Money(amount_minor=minor, currency=currency)


def ago(time: timedelta, minor: int = 100, currency: str = "EUR") -> Entry:
    return Entry(at=NOW - time, amount=euros(minor, currency))


@pytest.mark.parametrize(
    ("time", "counts"),
    [
        (timedelta(hours=24), False),
        (timedelta(hours=24) - timedelta(microseconds=1), True),
        (timedelta(0), True),
        (timedelta(hours=-1), True),
    ],
)
def test_a_window_reaches_back_to_the_microsecond(time: timedelta, *, counts: bool) -> None:
    entries = [ago(time)]

    assert summed(DAY, entries, NOW, euros(50)) == euros(150 if counts else 50)
    assert counted(DAY, entries, NOW) == (2 if counts else 1)


def test_another_currency_is_not_added_but_counted() -> None:
    entries = [ago(timedelta(hours=1), currency="USD"), ago(timedelta(hours=1))]

    assert summed(DAY, entries, NOW, euros(50)) == euros(150)
    assert counted(DAY, entries, NOW) == 3


@given(st.lists(st.tuples(st.integers(-1, 50), st.integers(0, 10**6)), max_size=20))
def test_a_longer_window_never_sums_to_less(deeds: list[tuple[int, int]]) -> None:
    entries = [ago(timedelta(hours=hours), minor) for hours, minor in deeds]
    week = Window(measure=Measure.SUM, of="amount", per="customer", over=timedelta(days=7))

    assert summed(DAY, entries, NOW, euros(1)) <= summed(week, entries, NOW, euros(1))
    assert counted(DAY, entries, NOW) <= counted(week, entries, NOW)


class Delivery(Facts):
    """A fact that is a date."""

    delivered: Moment | None


def _verdict(when: object, age: timedelta | None) -> str | None:
    document = {
        "format": 1,
        "table": "delivery",
        "version": "1",
        "tool": "a.b",
        "hit": "first",
        "rows": [
            {
                "id": "D-1",
                "says": "Late.",
                "policy": "P-1",
                "when": {"delivered": when},
                "then": {"refuse": "late"},
                "examples": [{"delivered": "31d"}],
            }
        ],
        "default": {"investigate": "no_rule_matches", "owner": "desk"},
    }
    table = read_table(json.dumps(document), source="delivery.yaml", facts=Delivery)
    moment = None if age is None else Moment(at=NOW - age, as_of=NOW)
    return table.judge(Delivery(delivered=moment)).row


@pytest.mark.parametrize(
    ("when", "age", "matches"),
    [
        ({"within": "30d"}, timedelta(days=30), True),
        ({"within": "30d"}, timedelta(days=30, microseconds=1), False),
        ({"older_than": "30d"}, timedelta(days=30), False),
        ({"older_than": "30d"}, timedelta(days=30, microseconds=1), True),
        ({"older_than": "30d"}, timedelta(days=-1), False),
        ({"within": "30d"}, None, False),
        ({"older_than": "30d"}, None, False),
        ({"is": None}, None, True),
        ({"is_not": None}, timedelta(0), True),
    ],
)
def test_a_date_window_holds_to_the_microsecond(
    when: object, age: timedelta | None, *, matches: bool
) -> None:
    assert (_verdict(when, age) == "D-1") is matches
