"""Deeds in doubt are looked up again by themselves, later each time, and in the end left to people."""

from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectState
from graphs.reconciler import MOST_TRIES, Reconciler
from graphs.ways_out import WaysOut
from tests.house import House, ManualClock
from tests.nodes.desk import paid
from tests.stories.standing_still import TESS, altered, behaving, standstill
from tools.contract import Call, OutcomeUnknown, Record, Tool, ToolError, ToolUnavailable
from tools.registry import ConnectorBusy
from tools.sandbox.cast import CAST

SCENE = "clean_29_90_1"
LONG = timedelta(days=1)


class Broken(Exception):
    """A mistake in a connector."""


class Slow:
    """A payment system that loses its answers, and knows of its deeds only after some questions."""

    def __init__(self, house: House, *, after: int) -> None:
        self.asked = 0
        self._after = after
        self._real = house.parts.registry._real["payments.refund"]

    async def perform(self, tool: Tool, arguments: Any, call: Call) -> Record:
        await tool.perform(arguments, call)
        raise OutcomeUnknown("the line is dead")

    async def find(self, key: str) -> Record | None:
        self.asked += 1
        if self.asked <= self._after:
            raise ToolError("not booked yet")
        assert self._real.find is not None
        return await self._real.find(key)


async def in_doubt(house: House, slow: Slow, **changes: Any) -> tuple[House, Case]:
    tools = {"find": slow.find, "idempotent": False} | changes
    odd = altered(behaving(house, payments_refund=slow.perform), "payments.refund", **tools)
    case = await odd.after(SCENE)
    assert case.status is Status.UNCERTAIN
    return odd, case


async def test_a_deed_that_is_found_only_later_is_found_by_itself(house: House, clock: ManualClock) -> None:
    slow = Slow(house, after=3)  # the gateway itself has asked once
    odd, case = await in_doubt(house, slow)
    assert await Reconciler(odd.parts).run() == 0, "not at once"

    for _ in range(3):
        clock.advance(LONG)
        assert await Reconciler(odd.parts).run() == 1
        assert await Reconciler(odd.parts).run() == 0, "once"
        await odd.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (slow.asked, await paid(house, SCENE)) == (4, [2990])
    actors = [e["actor"] for e in await house.events(case.id) if e["kind"] == "exception.retried"]
    assert actors == 3 * ["system:reconciler"]


async def test_it_is_asked_later_each_time_and_at_last_left_to_a_person(
    house: House, clock: ManualClock
) -> None:
    odd, case = await in_doubt(house, Slow(house, after=100))
    waits = []
    for _ in range(MOST_TRIES):
        before = clock.now
        while await Reconciler(odd.parts).run() == 0:
            clock.advance(timedelta(seconds=5))
        waits.append((clock.now - before).total_seconds())
        await odd.work()

    assert waits == sorted(waits)
    assert (waits[0] < 60, waits[-1] > 3600) == (True, True)
    clock.advance(100 * LONG)
    assert await Reconciler(odd.parts).run() == 0
    assert (await house.case(case.id)).status is Status.UNCERTAIN

    await WaysOut(odd.parts).retry((await standstill(house, case.id)).id, TESS)
    await odd.work()
    clock.advance(LONG)
    assert await Reconciler(odd.parts).run() == 1, "a person's retry begins the count anew"
    assert await paid(house, SCENE) == [2990]


async def test_what_nobody_can_be_asked_about_stays_for_a_person(house: House, clock: ManualClock) -> None:
    odd, case = await in_doubt(house, Slow(house, after=0), find=None)
    clock.advance(LONG)

    assert await Reconciler(odd.parts).run() == 0
    assert (await house.case(case.id)).status is Status.UNCERTAIN


@pytest.mark.parametrize("trouble", [ToolUnavailable, ConnectorBusy])
@pytest.mark.parametrize("reads_that_work", [0, 1, 2])
async def test_what_stopped_at_a_system_that_was_away_goes_on_by_itself(
    house: House, clock: ManualClock, reads_that_work: int, trouble: type[ToolUnavailable]
) -> None:
    """At retrieve, at the judge and at the gateway, whichever read is the first that finds nobody there."""
    spared = reads_that_work

    async def away(tool: Tool, arguments: Any, call: Call) -> Record:
        nonlocal spared
        spared -= 1
        if spared < 0:
            raise trouble("away")
        return await tool.perform(arguments, call)

    case = await house.send(SCENE)
    await behaving(house, orders_get=away).work()
    case = await house.case(case.id)
    assert case.reason == f"source_{trouble.reason}"
    assert await Reconciler(house.parts).run() == 0, "not at once"

    clock.advance(timedelta(minutes=1))
    assert await Reconciler(house.parts).run() == 1
    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert await paid(house, SCENE) == [2990]


async def test_what_never_comes_back_is_left_to_a_person(house: House, clock: ManualClock) -> None:
    async def away(tool: Tool, arguments: Any, call: Call) -> Record:
        raise ToolUnavailable("away")

    case, odd = await house.send(SCENE), behaving(house, orders_get=away)
    await odd.work()
    for _ in range(MOST_TRIES):
        clock.advance(LONG)
        assert await Reconciler(odd.parts).run() == 1
        await odd.work()

    clock.advance(100 * LONG)
    assert await Reconciler(odd.parts).run() == 0
    assert (await house.case(case.id)).status is Status.BLOCKED


async def test_an_intent_whose_command_is_gone_is_looked_up_too(house: House, clock: ManualClock) -> None:
    async def break_after_it(tool: Tool, arguments: Any, call: Call) -> Record:
        await tool.perform(arguments, call)
        raise Broken

    case = await behaving(house, payments_refund=break_after_it).after(SCENE)
    assert (case.status, case.reason) == (Status.FAILED, "unexpected_error")
    assert [deed.state for deed in await house.effects(case.id)] == [EffectState.INTENDED]
    clock.advance(LONG)

    assert await Reconciler(house.parts).run() == 1
    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert [refund["order_id"] for refund in await house.refunds(CAST[SCENE].order_id)] == [
        CAST[SCENE].order_id
    ]


async def test_an_exception_without_a_deed_in_doubt_is_left_alone(house: House, clock: ManualClock) -> None:
    case = await house.after("fraud_customer")
    clock.advance(LONG)

    assert await Reconciler(house.parts).run() == 0
    assert (await house.case(case.id)).status is Status.ESCALATED
