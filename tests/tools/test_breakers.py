"""Breakers: after failures in a row a connector rests, and is then tried by one call."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.house import ManualClock
from tools.breakers import MOST_FAILURES, REST, Breakers, Condition, ConnectorRests, Standing
from tools.contract import (
    Arguments,
    Call,
    Effect,
    OutcomeUnknown,
    Record,
    Tool,
    ToolError,
    ToolRefused,
    ToolUnavailable,
)
from tools.persistence import Persistence
from tools.registry import Registry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class GetShelf(Arguments):
    """Which shelf."""

    shelf: str


class Shelf(Record):
    """What is left on it."""

    shelf: str
    left: int


class Told(list[Standing]):
    async def __call__(self, standing: Standing) -> None:
        self.append(standing)


async def rested(clock: ManualClock, told: Told | None = None) -> Breakers:
    breakers = Breakers(clock, told)
    for _ in range(MOST_FAILURES):
        breakers.begin("shop")
        await breakers.failed("shop")
    return breakers


async def test_the_last_failure_that_is_borne_lets_it_rest_and_is_told_once() -> None:
    clock, told = ManualClock(NOW), Told()
    breakers = Breakers(clock, told)

    for number in range(MOST_FAILURES + 2):
        assert breakers.rests("shop") is (number >= MOST_FAILURES)
        await breakers.failed("shop")

    assert [(one.connector, one.condition, one.failures, one.until) for one in told] == [
        ("shop", Condition.RESTS, MOST_FAILURES, NOW + REST)
    ]
    with pytest.raises(ConnectorRests):
        breakers.begin("shop")
    breakers.begin("bakery")


async def test_failures_that_are_not_in_a_row_are_borne() -> None:
    breakers = Breakers(ManualClock(NOW))

    for _ in range(3 * MOST_FAILURES):
        await breakers.failed("shop")
        await breakers.worked("shop")

    assert not breakers.rests("shop")


async def test_after_its_rest_one_call_tries_it_and_the_others_wait() -> None:
    clock, told = ManualClock(NOW), Told()
    breakers = await rested(clock, told)
    clock.advance(REST)

    breakers.begin("shop")
    with pytest.raises(ConnectorRests):
        breakers.begin("shop")
    await breakers.worked("shop")

    breakers.begin("shop")
    assert [one.condition for one in told] == [Condition.RESTS, Condition.WORKS]
    assert (told[-1].since, told[-1].failures, told[-1].until) == (NOW + REST, 0, None)


async def test_a_trial_that_fails_lets_it_rest_again_without_telling_twice() -> None:
    clock, told = ManualClock(NOW), Told()
    breakers = await rested(clock, told)
    clock.advance(REST)
    breakers.begin("shop")

    await breakers.failed("shop")
    clock.advance(REST - timedelta(seconds=1))

    assert breakers.rests("shop")
    assert len(told) == 1


async def test_a_trial_of_which_nothing_is_heard_is_followed_by_another() -> None:
    clock = ManualClock(NOW)
    breakers = await rested(clock)
    clock.advance(REST)
    breakers.begin("shop")

    clock.advance(REST)
    breakers.begin("shop")

    with pytest.raises(ConnectorRests):
        breakers.begin("shop")


# --- around a registry ------------------------------------------------------------------------------------


class Shop:
    """A system with answers in turn; the last one for ever."""

    def __init__(self, *answers: Record | Exception) -> None:
        self.answers, self.calls = list(answers), 0

    async def perform(self, _arguments: Arguments, _call: Call) -> Record:
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tool(self, effect: Effect = Effect.READ) -> Tool:
        return Tool(
            name="shop.shelf",
            version="1",
            purpose="Look at a shelf.",
            effect=effect,
            arguments=GetShelf,
            result=Shelf,
            perform=self.perform,
        )


class Waited(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def patient(waited: Waited, chance: float = 0.5, seconds: float = 0.0) -> Persistence:
    passed = iter(range(100))
    return Persistence(
        tries=3,
        first=timedelta(milliseconds=200),
        sleep=waited,
        chance=lambda: chance,
        monotonic=lambda: seconds * next(passed),
    )


SHELF, AWAY = Shelf(shelf="A1", left=3), ToolUnavailable("closed")


async def read(registry: Registry) -> Record:
    return await registry.read(registry.hand_over(), "shop.shelf", GetShelf(shelf="A1"))


async def test_a_read_is_tried_again_later_each_time() -> None:
    shop, waited = Shop(AWAY, AWAY, SHELF), Waited()

    assert await read(Registry([shop.tool()], patient(waited))) == SHELF
    assert (shop.calls, [round(seconds, 3) for seconds in waited]) == (3, [0.2, 0.6])


async def test_a_read_is_given_up_after_three_tries() -> None:
    shop, waited = Shop(AWAY), Waited()

    with pytest.raises(ToolUnavailable):
        await read(Registry([shop.tool()], patient(waited)))
    assert (shop.calls, len(waited)) == (3, 2)


async def test_a_read_is_given_up_when_it_took_too_long() -> None:
    shop, waited = Shop(AWAY), Waited()

    with pytest.raises(ToolUnavailable):
        await read(Registry([shop.tool()], patient(waited, seconds=20)))
    assert (shop.calls, waited) == (1, [])


async def test_a_refusal_is_an_answer_and_not_asked_again() -> None:
    shop, breakers = Shop(ToolRefused("no")), Breakers(ManualClock(NOW))

    for _ in range(2 * MOST_FAILURES):
        with pytest.raises(ToolRefused):
            await read(Registry([shop.tool()], patient(Waited()), breakers))
    assert shop.calls == 2 * MOST_FAILURES
    assert not breakers.rests("shop")


async def test_while_it_rests_a_read_fails_at_once_and_nobody_is_called() -> None:
    clock = ManualClock(NOW)
    shop, waited, breakers = Shop(SHELF), Waited(), await rested(clock)

    with pytest.raises(ConnectorRests):
        await read(Registry([shop.tool()], patient(waited), breakers))

    assert (shop.calls, waited) == (0, [])


async def test_a_read_stops_trying_when_its_connector_begins_to_rest() -> None:
    shop, waited, breakers = Shop(AWAY), Waited(), Breakers(ManualClock(NOW), most=2)

    with pytest.raises(ToolUnavailable):
        await read(Registry([shop.tool()], patient(waited), breakers))

    assert (shop.calls, len(waited)) == (2, 1)


async def test_a_write_is_called_once_whatever_becomes_of_it() -> None:
    shop, breakers = Shop(OutcomeUnknown("lost")), Breakers(ManualClock(NOW))
    registry = Registry([shop.tool(Effect.WRITE)], patient(Waited()), breakers)
    capability = registry.hand_over()

    for _ in range(MOST_FAILURES + 1):  # one that is under way when the connector begins to rest is not held
        with pytest.raises(ToolError):
            await registry.call(capability, "shop.shelf", GetShelf(shelf="A1"), Call(key="k"))

    assert shop.calls == MOST_FAILURES + 1
    assert breakers.rests("shop")


@pytest.mark.parametrize(
    ("answer", "ends", "calls"),
    [(SHELF, [Shelf] * 3, 3), (AWAY, [ToolUnavailable, ConnectorRests, ConnectorRests], 1)],
    ids=["works", "fails"],
)
async def test_reads_beside_the_one_that_tries_wait_for_how_that_ends(
    answer: Record | Exception, ends: list[type[object]], calls: int
) -> None:
    clock = ManualClock(NOW)
    breakers, trying = await rested(clock), asyncio.Event()
    clock.advance(REST)
    shop = Shop(answer)
    tool = shop.tool()

    async def in_time(arguments: Arguments, call: Call) -> Record:
        await trying.wait()
        return await shop.perform(arguments, call)

    registry = Registry([replace(tool, perform=in_time)], breakers=breakers)
    capability = registry.hand_over()
    reads = [
        asyncio.create_task(registry.read(capability, tool.name, GetShelf(shelf="A1"))) for _ in range(3)
    ]
    await asyncio.wait(reads, timeout=0)
    trying.set()
    found = await asyncio.gather(*reads, return_exceptions=True)

    assert [type(end) for end in found] == ends
    assert shop.calls == calls


async def test_nobody_waits_longer_for_a_trial_than_for_an_answer() -> None:
    clock = ManualClock(NOW)
    breakers = await rested(clock)
    clock.advance(REST)
    breakers.begin("shop")
    shop = Shop(SHELF)
    hasty = replace(shop.tool(), timeout=timedelta(milliseconds=10))

    with pytest.raises(ConnectorRests):
        await read(Registry([hasty], breakers=breakers))
    assert shop.calls == 0
