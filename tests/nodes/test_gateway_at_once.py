"""B5: many executions at once are one effect, and many small refunds at once are not many small refunds."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from checkpoints.effects import SessionLedger
from checkpoints.session import fenced_session
from graphs.refund.steps import propose_reply
from nodes.execution import End, Execution
from tests.checkpoints.threads import unfenced
from tests.house import House
from tests.nodes.desk import approved, at_desk, desk_on, paid, wish, with_refunds
from tools.contract import Call, Record, Tool
from tools.registry import Capability, Registry

SCENE = "clean_120_00_1"
SMALL = "clean_29_90_1"
LIMIT_OF_A_DAY = 50_00

KINDS = {
    "found and idempotent": {},
    "idempotent": {"find": None},
    "neither": {"find": None, "idempotent": False},
}


@dataclass(slots=True)
class Slow:
    """A payment system that does not answer before everybody has asked who will ask."""

    calls: int = 0

    async def perform(self, tool: Tool, arguments: Any, call: Call) -> Record:
        self.calls += 1
        for _ in range(50):  # lets the other executions overtake
            await asyncio.sleep(0)
        return await tool.perform(arguments, call)


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS.keys())
async def test_eight_executions_of_one_signed_action_at_once_are_one_effect(
    house: House, changes: dict[str, Any]
) -> None:
    case, shown = await approved(house, SCENE)
    slow = Slow()
    executions = await _eight_times(with_refunds(house, slow.perform, **changes), case.id, shown)

    assert {execution.end for execution in executions} <= {End.DONE, End.UNKNOWN}
    await _require_one(house, case.id, SCENE)
    assert slow.calls == 1 or changes.get("idempotent", True)


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS.keys())
async def test_eight_executions_of_one_automatic_action_at_once_are_one_effect(
    house: House, changes: dict[str, Any]
) -> None:
    case = await house.send(SMALL)
    slow = Slow()
    executions = await _eight_times(with_refunds(house, slow.perform, **changes), case.id, {})

    assert {execution.end for execution in executions} <= {End.DONE, End.UNKNOWN}
    await _require_one(house, case.id, SMALL)
    assert slow.calls == 1 or changes.get("idempotent", True)
    assert len(await house.rows("SELECT id FROM grants")) == 1


async def _eight_times(house: House, case_id: str, shown: dict[str, Any]) -> list[Execution]:
    """Execute on eight sessions at once, as if no lock held the thread."""
    case = await house.case(case_id)
    async with unfenced(house.parts, 8) as sessions:
        desks = [desk_on(house, case, session) for session in sessions]
        return await asyncio.gather(*(desk.execute(wish(case), shown) for desk in desks))


async def _require_one(house: House, case_id: str, scene: str) -> None:
    assert len(await paid(house, scene)) == 1
    assert len(await house.effects(case_id)) == 1
    assert (await house.kinds(case_id)).count("effect.intended") == 1


async def _paid_in_all(house: House) -> int:
    scenes = [f"many_small_{number:02}" for number in range(1, 21)]
    return sum([amount for scene in scenes for amount in await paid(house, scene)])


async def test_twenty_small_refunds_of_one_customer_at_once_stay_within_the_window(house: House) -> None:
    for number in range(1, 21):
        await house.send(f"many_small_{number:02}")
    commands = await house.rows("SELECT id FROM commands")

    await asyncio.gather(*(house.runner.carry_out(command["id"]) for command in commands))

    assert await _paid_in_all(house) <= LIMIT_OF_A_DAY


class Together(Registry):
    """Lets nobody who has judged go on before both have, or it is clear that they cannot."""

    both: asyncio.Barrier

    async def ready(self, capability: Capability, name: str) -> None:
        await super().ready(capability, name)
        with suppress(TimeoutError, asyncio.BrokenBarrierError):
            async with asyncio.timeout(0.5):
                await self.both.wait()


def deciding_together(house: House) -> House:
    registry = Together(house.parts.registry._real.values())
    registry.both = asyncio.Barrier(2)
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))


async def test_two_lanes_of_one_case_that_want_the_same_deed_at_once_do_it_once(house: House) -> None:
    case = await house.send(SMALL)
    async with at_desk(deciding_together(house), case) as desk:
        lanes = [wish(case, step=f"refund_{number}") for number in (1, 2)]
        refunds = await asyncio.gather(*(desk.execute(lane) for lane in lanes))
        reply = propose_reply({}, desk.context)
        lanes = [replace(reply, step=f"tell_{number}") for number in (1, 2)]
        replies = await asyncio.gather(*(desk.execute(lane) for lane in lanes))

    assert sorted(one.end for one in refunds) == [End.BLOCKED, End.DONE]
    assert sorted(one.end for one in replies) == [End.BLOCKED, End.DONE]
    assert len(await house.effects(case.id)) == len(("the refund", "the reply"))


async def test_no_two_tasks_of_one_session_hold_the_same_window(house: House) -> None:
    case, order = await house.send(SMALL), list[str]()
    async with fenced_session(house.parts.database.engine, case.id) as session:

        async def held(name: str) -> None:
            async with SessionLedger(session).alone("window"):
                order.append(f"{name} in")
                await SessionLedger(session).effects(case.id)
                order.append(f"{name} out")

        await asyncio.gather(held("one"), held("two"))

    assert order == ["one in", "one out", "two in", "two out"]
