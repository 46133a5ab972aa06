"""The gateway and connectors that fail: what happened, what did not, and what it leads to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectState
from graphs.wiring import Parts
from tests.house import House
from tools.contract import Arguments, Call, OutcomeUnknown, Record, Tool, ToolRefused
from tools.registry import Registry
from tools.sandbox.cast import CAST

SCENE = "clean_29_90_1"
ORDER = CAST[SCENE].order_id

Perform = Callable[[Tool, Any, Call], Awaitable[Record]]


class Nonsense(Record):
    """No refund at all."""

    word: str = "ok"


async def times_out(tool: Tool, arguments: Any, call: Call) -> Record:
    await asyncio.Event().wait()
    raise AssertionError


async def does_it_and_loses_the_answer(tool: Tool, arguments: Any, call: Call) -> Record:
    await tool.perform(arguments, call)
    raise OutcomeUnknown("the connection broke")


async def answers_nonsense(tool: Tool, arguments: Any, call: Call) -> Record:
    await tool.perform(arguments, call)
    return Nonsense()


async def refuses(tool: Tool, arguments: Any, call: Call) -> Record:
    raise ToolRefused("not today")


def with_refunds(parts: Parts, perform: Perform, **changes: Any) -> Parts:
    """The same parts, with a payment system that behaves like this."""

    def behaving(tool: Tool) -> Tool:
        async def performed(arguments: Arguments, call: Call) -> Record:
            return await perform(tool, arguments, call)

        return replace(tool, perform=performed, **changes)

    real = parts.registry._real.values()
    registry = Registry([behaving(tool) if tool.name == "payments.refund" else tool for tool in real])
    return replace(parts, registry=registry, capability=registry.hand_over())


async def refund_state(house: House, case: Case) -> EffectState:
    return next(effect.state for effect in await house.effects(case.id) if effect.tool == "payments.refund")


@pytest.mark.parametrize(
    ("perform", "state", "status", "refunds"),
    [
        (times_out, EffectState.UNKNOWN, Status.UNCERTAIN, 0),
        (does_it_and_loses_the_answer, EffectState.DONE, Status.CLOSED, 1),
        (answers_nonsense, EffectState.DONE, Status.CLOSED, 1),
        (refuses, EffectState.FAILED, Status.FAILED, 0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_a_failing_connector_leads_to_a_named_state(
    parts: Parts, perform: Perform, state: EffectState, status: Status, refunds: int
) -> None:
    hasty = {"timeout": timedelta(milliseconds=300)} if perform is times_out else {}
    house = House(with_refunds(parts, perform, **hasty))
    case = await house.after(SCENE)

    assert await refund_state(house, case) is state
    assert case.status is status
    assert (case.owner is None) is (status is Status.CLOSED)
    assert len(await house.refunds(ORDER)) == refunds


async def intended_by_a_killed_worker(house: House, parts: Parts) -> Case:
    """A case whose worker was killed after the deed and before its outcome was written."""
    started = asyncio.Event()

    async def does_it_and_dies(tool: Tool, arguments: Any, call: Call) -> Record:
        await tool.perform(arguments, call)
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    dying = House(with_refunds(parts, does_it_and_dies))
    case = await dying.send(SCENE)
    working = asyncio.create_task(dying.work())
    await started.wait()
    working.cancel()
    await asyncio.wait({working})
    assert await refund_state(house, case) is EffectState.INTENDED
    return case


async def test_a_deed_without_an_outcome_is_found_again_and_not_repeated(house: House, parts: Parts) -> None:
    case = await intended_by_a_killed_worker(house, parts)
    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(ORDER)) == 1
    done = [event["data"] for event in await house.events(case.id) if event["kind"] == "effect.done"]
    assert done[0]["how"] == "found"


async def test_what_can_be_neither_found_nor_repeated_is_left_to_a_person(house: House, parts: Parts) -> None:
    case = await intended_by_a_killed_worker(house, parts)
    calls = 0

    async def counted(tool: Tool, arguments: Any, call: Call) -> Record:
        nonlocal calls
        calls += 1
        return await tool.perform(arguments, call)

    blind = House(with_refunds(parts, counted, find=None, idempotent=False))
    await blind.work()

    case = await house.case(case.id)
    assert (case.status, calls) == (Status.UNCERTAIN, 0)
    assert await refund_state(house, case) is EffectState.UNKNOWN


async def test_twenty_small_refunds_of_a_day_are_stopped_by_the_window(house: House) -> None:
    cases = [await house.after(f"many_small_{n:02}") for n in range(1, 21)]

    assert [case.status for case in cases] == [Status.CLOSED] + [Status.WAITING_REVIEW] * 19
