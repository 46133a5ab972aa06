"""Waiting: longer each time, never all at once, as long as asked for within reason."""

from datetime import timedelta

import pytest

from graphs.backoff import FIRST, wait_after

LAST_WAIT = 7


def test_each_wait_is_longer_than_the_one_before_whatever_the_chance() -> None:
    for attempt in range(1, LAST_WAIT):
        assert wait_after(attempt, 1) < wait_after(attempt + 1, 0)


def test_eight_attempts_span_about_a_day() -> None:
    for chance, hours in ((0, 17), (0.5, 21), (1, 26)):
        span = sum((wait_after(attempt, chance) for attempt in range(1, LAST_WAIT + 1)), timedelta())
        assert round(span / timedelta(hours=1)) == hours


@pytest.mark.parametrize(("chance", "part"), [(0, 0.8), (0.5, 1), (1, 1.2)])
def test_the_chance_is_worth_a_fifth_each_way(chance: float, part: float) -> None:
    assert wait_after(1, chance) == FIRST * part


def test_what_the_receiver_asks_for_counts_if_it_is_longer_up_to_a_limit() -> None:
    assert wait_after(1, 0.5, timedelta(seconds=1)) == FIRST
    assert wait_after(1, 0.5, timedelta(minutes=10)) == timedelta(minutes=10)
    assert wait_after(1, 0.5, timedelta(days=400)) == timedelta(hours=6)
    assert wait_after(1, 0.5, timedelta(days=-1)) == FIRST
