"""Ticks: what a cron line means in a time zone, and which of its times are made up for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.schedules import Missed, Schedule
from graphs.ticks import GRACE, MOST_MISSED, ScheduleUnfit, due, first_after, ticks_after

UNHURRIED = settings(deadline=None)  # the machine is shared
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(cron: str, timezone: str, after: str, count: int) -> list[str]:
    found = islice(ticks_after(cron, timezone, at(after)), count)
    return [tick.strftime("%Y-%m-%d %H:%M") for tick in found]


def daily(missed: Missed, cron: str | None = "0 9 * * *", next_at: str = "2026-11-10 08:00") -> Schedule:
    """Each morning at nine in Berlin, which is eight in UTC; last looked at before `next_at`."""
    return Schedule(
        id="s",
        workflow="refund",
        name="morning",
        cron=cron,
        timezone=BERLIN,
        missed=missed,
        data={},
        created_by="person:tess",
        created_at=at("2026-11-01"),
        next_at=at(next_at),
        wake_at=at(next_at),
    )


# --- clocks that are put on and back ----------------------------------------------------------------------


def test_a_time_that_does_not_exist_comes_when_its_hour_would_have_begun() -> None:
    berlin = ticks("30 2 * * *", BERLIN, "2027-03-27 12:00", 2)
    new_york = ticks("30 2 * * *", NEW_YORK, "2027-03-13 12:00", 2)

    assert berlin == ["2027-03-28 01:00", "2027-03-29 00:30"]
    assert new_york == ["2027-03-14 07:00", "2027-03-15 06:30"]


def test_a_time_that_comes_twice_counts_once_the_first_time() -> None:
    berlin = ticks("30 2 * * *", BERLIN, "2026-10-24 12:00", 2)
    new_york = ticks("30 1 * * *", NEW_YORK, "2026-10-31 12:00", 2)

    assert berlin == ["2026-10-25 00:30", "2026-10-26 01:30"]
    assert new_york == ["2026-11-01 05:30", "2026-11-02 06:30"]


def test_asked_in_the_hour_that_comes_again_nothing_lies_behind() -> None:
    assert ticks("30 2 * * *", BERLIN, "2026-10-25 01:00", 1) == ["2026-10-26 01:30"]


def test_every_hour_means_every_hour_that_passes() -> None:
    assert ticks("30 * * * *", BERLIN, "2026-10-25 00:00", 3) == [
        "2026-10-25 00:30",
        "2026-10-25 01:30",
        "2026-10-25 02:30",
    ]
    assert ticks("30 * * * *", BERLIN, "2027-03-28 00:00", 3) == [
        "2027-03-28 00:30",
        "2027-03-28 01:30",
        "2027-03-28 02:30",
    ]


def test_nine_in_the_morning_stays_nine_in_the_morning() -> None:
    found = islice(ticks_after("0 9 * * *", NEW_YORK, at("2026-01-01")), 365)

    assert {tick.astimezone(ZoneInfo(NEW_YORK)).hour for tick in found} == {9}


# --- days that not every month has ------------------------------------------------------------------------


def test_a_leap_day_comes_every_four_years() -> None:
    assert ticks("0 0 29 2 *", "UTC", "2026-01-01", 2) == ["2028-02-29 00:00", "2032-02-29 00:00"]


def test_the_31st_is_left_out_where_there_is_none_and_the_last_day_never() -> None:
    assert ticks("0 0 31 * *", "UTC", "2026-01-31 00:00", 2) == ["2026-03-31 00:00", "2026-05-31 00:00"]
    assert ticks("0 0 L * *", "UTC", "2026-01-31 00:00", 2) == ["2026-02-28 00:00", "2026-03-31 00:00"]


# --- what is no schedule ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("61 * * * *", "Bad minute"),
        ("* * * *", "does not have five fields"),
        ("* * * * * *", "does not have five fields"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("@daily", "does not have five fields"),
        ("0 0 * * MOO", "Bad day-of-week"),
    ],
)
def test_a_cron_that_cannot_be_says_what_is_wrong(cron: str, says: str) -> None:
    with pytest.raises(ScheduleUnfit, match=says):
        first_after(cron, "UTC", at("2026-01-01"))


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../etc/passwd", "Mars"])
def test_a_zone_that_is_none_is_named(name: str) -> None:
    with pytest.raises(ScheduleUnfit, match="timezone: "):
        first_after("0 9 * * *", name, at("2026-01-01"))


# --- what was missed --------------------------------------------------------------------------------------

LATER = at("2026-11-14 20:00")
"""Four days and a half after the tick that was waited for: five ticks have gone by."""


def test_skipping_opens_nothing_that_is_late() -> None:
    found = due(daily(Missed.SKIP), LATER)

    assert (found.ticks, found.left_out, found.next_at) == ((), True, at("2026-11-15 08:00"))


def test_skipping_opens_what_is_on_time() -> None:
    found = due(daily(Missed.SKIP), at("2026-11-14 08:00") + GRACE)

    assert (found.ticks, found.left_out) == ((at("2026-11-14 08:00"),), True)


def test_once_opens_the_newest_for_all_of_them() -> None:
    found = due(daily(Missed.ONCE), LATER)

    assert (found.ticks, found.left_out) == ((at("2026-11-14 08:00"),), True)
    assert found.next_at == at("2026-11-15 08:00")


def test_all_opens_each() -> None:
    found = due(daily(Missed.ALL), LATER)

    assert found.ticks == tuple(at(f"2026-11-{day} 08:00") for day in range(10, 15))
    assert not found.left_out


def test_all_is_bounded_to_the_newest() -> None:
    found = due(daily(Missed.ALL, "* * * * *"), LATER)

    assert len(found.ticks) == MOST_MISSED
    assert found.ticks[-1] == LATER
    assert found.ticks[0] == LATER - timedelta(minutes=MOST_MISSED - 1)
    assert found.left_out


@pytest.mark.parametrize("missed", Missed)
def test_what_is_on_time_is_opened_under_every_policy(missed: Missed) -> None:
    found = due(daily(missed), at("2026-11-10 08:00") + timedelta(seconds=1))

    assert (found.ticks, found.left_out) == ((at("2026-11-10 08:00"),), False)


@pytest.mark.parametrize(("missed", "opened"), [(Missed.SKIP, 0), (Missed.ONCE, 1), (Missed.ALL, 1)])
def test_a_schedule_with_one_tick_is_over_after_it(missed: Missed, opened: int) -> None:
    found = due(daily(missed, None), LATER)

    assert (len(found.ticks), found.left_out, found.next_at) == (opened, not opened, None)


CRONS = ("0 9 * * *", "*/7 * * * *", "30 2 * * *", "15 1,3 * * SUN", "0 0 29 2 *", "30 * * * *")


@UNHURRIED
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from([BERLIN, NEW_YORK, "UTC"]),
    minutes=st.integers(0, 3 * 366 * 24 * 60),
    hours=st.integers(0, 24 * 30),
)
def test_what_is_found_from_the_end_is_what_passed_one_by_one(
    cron: str, zone: str, minutes: int, hours: int
) -> None:
    first = first_after(cron, zone, at("2026-01-01") + timedelta(minutes=minutes))
    schedule = replace(daily(Missed.ALL, cron), timezone=zone, next_at=first)
    now = first + timedelta(hours=hours)
    one_by_one = [first]
    while (tick := first_after(cron, zone, one_by_one[-1])) <= now:
        one_by_one.append(tick)

    found = due(schedule, now)

    assert list(found.ticks) == one_by_one[-MOST_MISSED:]
    assert found.next_at == tick
