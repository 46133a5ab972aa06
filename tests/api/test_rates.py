"""Rates over HTTP: who calls too often is told when to come back, and holds up nobody else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from api.rates import MOST_KNOWN, Buckets, TooManyRequests
from api.serve import serving
from graphs.settings import Rate, Settings, SettingUnfit
from graphs.wiring import Parts
from tests.api.door import Door, problem
from tests.house import House, ManualClock


@pytest.fixture
async def slow(parts: Parts, house: House, clock: ManualClock, tokens: dict[str, str]) -> AsyncIterator[Door]:
    """A door through which a principal comes six times a minute, and an address ten times."""
    few = replace(parts, principal_rate=Rate(6), address_rate=Rate(10))
    async with (
        serving(few, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        yield Door(http=http, tokens=tokens, house=house, clock=clock)


async def test_a_principal_who_calls_too_often_waits_and_is_let_in_again(slow: Door) -> None:
    for _ in range(6):
        assert (await slow.ask("lee", "GET", "/cases")).status_code == 200

    refused = await slow.ask("lee", "GET", "/cases")

    problem(refused, 429, "too-many-requests")
    assert refused.headers["Retry-After"] == "10"
    slow.clock.advance(timedelta(seconds=9))
    assert (await slow.ask("lee", "GET", "/cases")).status_code == 429
    slow.clock.advance(timedelta(seconds=1))
    assert (await slow.ask("lee", "GET", "/cases")).status_code == 200
    assert (await slow.ask("lee", "GET", "/cases")).status_code == 429


async def test_one_principal_holds_up_no_other(slow: Door) -> None:
    for _ in range(7):
        await slow.ask("lee", "GET", "/cases")

    assert (await slow.ask("max", "GET", "/cases")).status_code == 200


async def test_an_address_is_held_up_whoever_calls_from_it_with_or_without_a_token(slow: Door) -> None:
    for _ in range(10):
        assert (await slow.ask(None, "GET", "/cases")).status_code == 401

    problem(await slow.ask(None, "GET", "/cases"), 429, "too-many-requests")
    problem(await slow.ask("lee", "GET", "/cases"), 429, "too-many-requests")
    slow.clock.advance(timedelta(minutes=1))
    assert (await slow.ask("lee", "GET", "/cases")).status_code == 200


async def test_health_is_not_counted(slow: Door) -> None:
    for _ in range(20):
        assert (await slow.ask(None, "GET", "/health/live")).status_code == 200


def test_a_clock_that_goes_back_gives_nothing(clock: ManualClock) -> None:
    buckets = Buckets(Rate(1), clock)
    buckets.take("lee")

    clock.advance(timedelta(hours=-1))

    with pytest.raises(TooManyRequests):
        buckets.take("lee")


def test_many_names_take_no_more_room_and_free_nobody(clock: ManualClock) -> None:
    buckets = Buckets(Rate(1), clock)
    clock.advance(timedelta(seconds=1))
    buckets.take("first")
    clock.advance(timedelta(seconds=1))
    for number in range(MOST_KNOWN - 1):
        buckets.take(f"n-{number}")
    clock.advance(timedelta(seconds=59))
    buckets.take("one more")  # the first is full again, and makes room

    assert len(buckets.known) == MOST_KNOWN
    with pytest.raises(TooManyRequests):
        buckets.take("n-0")


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "1e3", "99999999999"])
def test_a_rate_that_is_none_is_refused_with_its_name(value: str) -> None:
    with pytest.raises(SettingUnfit, match="COUNTERSIGN_RATE_ADDRESS"):
        Settings.from_environment({"COUNTERSIGN_RATE_ADDRESS": value})


def test_rates_come_from_the_environment() -> None:
    settings = Settings.from_environment({"COUNTERSIGN_RATE_PRINCIPAL": "60"})

    assert (settings.principal_rate, settings.address_rate) == (Rate(60), Rate(30_000))
