"""Working hours against a count of every minute: nights, weekends, holidays, and clocks that are put."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from graphs.roles import load_roles, read_text
from nodes.hours import Hours, after, between
from nodes.strict_yaml import TableUnfit

UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
WEEKDAYS = frozenset(range(5))
OFFICE = Hours(zone=BERLIN, days=WEEKDAYS, opens=time(9), closes=time(17))
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
"""The nights in which Berlin's clocks are put forward, and back."""

starts = st.builds(
    lambda night, minutes: night + timedelta(minutes=minutes),
    st.sampled_from([SPRING, AUTUMN, datetime(2026, 11, 20, tzinfo=UTC)]),
    st.integers(-4 * 24 * 60, 4 * 24 * 60),
)
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    """Any hours that open at least an hour a day, around the nights in which clocks are put too."""
    opens, closes = draw(times), draw(times)
    assume(closes.hour > opens.hour + 1)
    return Hours(
        zone=draw(st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("America/New_York")])),
        days=frozenset(draw(st.sets(st.integers(0, 6), min_size=1))),
        opens=opens,
        closes=closes,
        holidays=frozenset(draw(st.sets(st.dates(date(2026, 3, 25), date(2026, 4, 5)), max_size=3))),
    )


def is_open(team: Hours, minute: datetime) -> bool:
    """Whether a minute is a working one: what counts is the latest the clock has shown.

    Who has opened, or gone home, does not begin the day again when the clock is put back.
    """
    wall = minute.astimezone(team.zone)
    free = wall.weekday() not in team.days or wall.date() in team.holidays
    again = range(61) if wall.fold else range(1)
    shown = max((minute - number * MINUTE).astimezone(team.zone).time() for number in again)
    return not free and team.opens <= shown < team.closes


def working(team: Hours, start: datetime) -> Iterator[datetime]:
    """The working minutes from a start on."""
    minute = start
    while True:
        if is_open(team, minute):
            yield minute
        minute += MINUTE


@UNHURRIED
@given(hours(), starts, st.integers(1, 20 * 60))
def test_so_many_working_minutes_later_is_where_counting_them_ends(
    team: Hours, start: datetime, minutes: int
) -> None:
    counted = working(team, start)
    for _ in range(minutes):
        last = next(counted)

    assert team.after(start, timedelta(minutes=minutes)) == last + MINUTE


@UNHURRIED
@given(hours(), starts, st.integers(-60, 9 * 24 * 60))
def test_the_working_time_between_two_instants_is_the_minutes_in_which_somebody_works(
    team: Hours, start: datetime, minutes: int
) -> None:
    counted = sum(is_open(team, start + number * MINUTE) for number in range(minutes))

    assert team.between(start, start + minutes * MINUTE) == counted * MINUTE


@UNHURRIED
@given(hours(), starts, st.integers(1, 30 * 60 * 60))
def test_between_a_start_and_its_due_time_lies_what_was_given(
    team: Hours, start: datetime, seconds: int
) -> None:
    length = timedelta(seconds=seconds)

    assert team.between(start, team.after(start, length)) == length


@UNHURRIED
@given(hours(), starts, st.integers(0, 1000), st.integers(0, 1000))
def test_more_time_is_never_over_sooner(team: Hours, start: datetime, one: int, more: int) -> None:
    first = team.after(start, timedelta(minutes=one))

    assert first <= team.after(start, timedelta(minutes=one + more))
    assert first.utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        pytest.param("2026-11-20T15:00", 8, "2026-11-23T15:00", id="over a weekend"),
        pytest.param("2026-11-21T12:00", 8, "2026-11-23T16:00", id="from a Saturday"),
        pytest.param("2026-11-23T08:00", 8, "2026-11-23T16:00", id="a day from its first minute"),
        pytest.param("2026-11-23T03:00", 1, "2026-11-23T09:00", id="from before it opens"),
        pytest.param("2026-11-23T16:00", 1, "2026-11-24T09:00", id="from when it closes"),
        pytest.param("2026-03-27T15:00", 2, "2026-03-30T08:00", id="over the night of spring"),
        pytest.param("2026-10-23T14:00", 2, "2026-10-26T09:00", id="over the night of autumn"),
    ],
)
def test_eight_to_sixteen_utc_is_nine_to_five_in_berlin_in_winter(start: str, length: int, end: str) -> None:
    begun = datetime.fromisoformat(start).replace(tzinfo=UTC)

    assert OFFICE.after(begun, timedelta(hours=length)) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_an_hour_that_the_clocks_skip_is_no_working_time_and_one_that_they_repeat_is_two() -> None:
    nights = Hours(zone=BERLIN, days=frozenset({6}), opens=time(1), closes=time(5))

    assert nights.between(SPRING, SPRING + timedelta(days=1)) == timedelta(hours=3)
    assert nights.between(AUTUMN - timedelta(hours=2), AUTUMN + timedelta(days=1)) == timedelta(hours=5)


def test_hours_that_never_open_are_said_to_be_none() -> None:
    never = Hours(zone=BERLIN, days=frozenset(), opens=time(9), closes=time(17))

    with pytest.raises(ValueError, match="no working hours"):
        never.after(SPRING, timedelta(hours=1))


def test_without_hours_time_goes_by_the_clock() -> None:
    assert after(SPRING, timedelta(hours=30), None) == SPRING + timedelta(hours=30)
    assert between(SPRING, AUTUMN, None) == AUTUMN - SPRING


# --- in the roles -----------------------------------------------------------------------------------------

WRITTEN = 'hours: {timezone: Europe/Berlin, days: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}'
MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "a timezone that is none": ("Europe/Berlin", "Europe/Bonn", ["hours: timezone", "Europe/Bonn"]),
    "a timezone that leads elsewhere": ("Europe/Berlin", "../etc/passwd", ["hours: timezone"]),
    "an empty timezone": ("Europe/Berlin", '""', ["hours: timezone"]),
    "a folder of timezones": ("Europe/Berlin", "Europe", ["hours: timezone"]),
    "no timezone": ("timezone: Europe/Berlin, ", "", ["hours: timezone"]),
    "a day that is none": ("fri]", "fry]", ["hours: days"]),
    "no days": ("[mon, tue, wed, thu, fri]", "[]", ["hours: days"]),
    "closes before it opens": ('"17:00"', '"08:00"', ["hours: closes", "08:00"]),
    "closes as it opens": ('"17:00"', '"09:00"', ["hours: closes"]),
    "an hour that is none": ('"17:00"', '"24:00"', ["hours: closes"]),
    "a time that YAML makes a number of": ('"09:00"', "9", ["hours: opens"]),
    "a time in words": ('"09:00"', "nine", ["hours: opens"]),
    "a misspelt field": ("opens:", "open:", ["hours: open"]),
    "a holiday that is none": ('"17:00"}', '"17:00", holidays: [2026-02-30]}', ["not YAML"]),
    "a holiday in words": ('"17:00"}', '"17:00", holidays: [christmas]}', ["hours: holidays"]),
}


def with_hours(old: str, new: str) -> str:
    """The refund's roles with one thing about their hours changed."""
    text = read_text("graphs.refund", "roles.yaml")
    assert text.count(WRITTEN) == 1
    assert WRITTEN.count(old) == 1
    return text.replace(WRITTEN, WRITTEN.replace(old, new))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_hours_is_refused_with_its_field(mistake: str) -> None:
    old, new, named = MISTAKES[mistake]

    with pytest.raises(TableUnfit) as unfit:
        load_roles("graphs.refund", with_hours(old, new))

    assert str(unfit.value).startswith("graphs/refund/roles.yaml: ")
    for word in named:
        assert word in str(unfit.value)


def test_hours_are_read_as_they_are_written() -> None:
    text = with_hours('"17:00"}', '"17:00", holidays: [2026-12-25]}')

    found = load_roles("graphs.refund", text).working_hours()

    assert found == Hours(
        zone=BERLIN,
        days=WEEKDAYS,
        opens=time(9),
        closes=time(17),
        holidays=frozenset({date(2026, 12, 25)}),
    )


def test_a_team_that_opens_in_an_hour_that_is_skipped_opens_when_it_is_skipped() -> None:
    night = Hours(
        zone=ZoneInfo("Europe/Berlin"), days=frozenset(range(7)), opens=time(2, 15), closes=time(4, 0)
    )
    skipped = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 02:00 there, which is 03:00

    assert night.after(datetime(2026, 3, 29, tzinfo=UTC), timedelta(minutes=1)) == skipped + timedelta(
        minutes=1
    )
    assert night.between(skipped - timedelta(hours=1), skipped + timedelta(hours=5)) == timedelta(hours=1)
