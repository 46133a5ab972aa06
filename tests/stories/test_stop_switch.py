"""The stop switch: nothing it is about begins any more, and everything goes on where it stood."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from checkpoints.cases import Status
from checkpoints.effects import EffectState
from checkpoints.errors import HaltNotFound
from checkpoints.halts import Halt, HaltScope, HaltWait
from graphs.halting import (
    HOST,
    HaltAlreadyReleased,
    Halting,
    HaltReason,
    HaltUnfit,
    NotAllowedToHalt,
    Order,
    Switch,
)
from graphs.runner import Runner
from nodes.execution import End
from nodes.permissions import Kind, Principal
from tests.bites.brains import watched
from tests.house import LEE, SHOP, House, ManualClock
from tests.nodes.desk import at_desk, wish, with_refunds
from tests.stories.reviewing import DREW, TESS, told
from tools.contract import Call, Record, Tool
from tools.sandbox.cast import CAST

SMALL, SIGNED = "clean_29_90_1", "clean_120_00_1"
SCOPES = [
    (HaltScope.EVERYTHING, None),
    (HaltScope.WORKFLOW, "refund"),
    (HaltScope.AGENT, "policy"),
    (HaltScope.TOOL, "payments.refund"),
    (HaltScope.CONNECTOR, "payments"),
]


def order(scope: HaltScope = HaltScope.EVERYTHING, target: str | None = None) -> Order:
    return Order(scope=scope, target=target, reason=HaltReason.INCIDENT, words="Odd refunds.")


async def press(house: House, scope: HaltScope = HaltScope.EVERYTHING, target: str | None = None) -> Halt:
    return await Halting(house.parts).press(order(scope, target), DREW)


async def release(house: House, halt: Halt) -> None:
    await Halting(house.parts).release(halt.id, DREW)
    await house.work()


@pytest.mark.parametrize(("scope", "target"), SCOPES)
async def test_what_is_approved_and_halted_is_not_done_until_it_is_released_and_then_once(
    house: House, scope: HaltScope, target: str | None
) -> None:
    review = await house.review((await house.after(SIGNED)).id)
    halt = await press(house, scope, target)

    case = await house.decided(review, LEE)

    assert (case.status, case.reason, case.owner) == (Status.BLOCKED, "halted", "support_lead")
    assert await house.refunds(CAST[SIGNED].order_id) == []
    (waits,) = await told(house, case.id, "case.halted")
    assert waits["halts"] == [halt.id]
    await release(house, halt)
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[SIGNED].order_id)) == 1


@pytest.mark.parametrize(
    ("scope", "target"), [(HaltScope.AGENT, "triage"), (HaltScope.TOOL, "tickets.reply")]
)
async def test_a_halt_of_something_else_holds_up_only_that(
    house: House, scope: HaltScope, target: str
) -> None:
    review = await house.review((await house.after(SIGNED)).id)
    await press(house, scope, target)

    await house.decided(review, LEE)

    assert len(await house.refunds(CAST[SIGNED].order_id)) == 1


async def test_a_halted_agent_is_not_asked(house: House) -> None:
    asked = list[str]()

    async def note(agent: str) -> None:
        asked.append(agent)

    watching = watched(house, note)
    halt = await press(house, HaltScope.AGENT, "policy")
    case = await watching.after(SMALL)

    assert asked == ["triage", "fraud_analyst"]
    assert (case.status, case.reason) == (Status.BLOCKED, "halted")
    await release(watching, halt)
    assert asked == ["triage", "fraud_analyst", "policy"]
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_events_are_taken_in_while_everything_is_halted_and_worked_on_afterwards(house: House) -> None:
    halt = await press(house)

    case = await house.send(SMALL)
    assert case.status is Status.RECEIVED
    await house.work()
    assert (await house.case(case.id)).reason == "halted"
    assert await house.rows("SELECT 1 FROM checkpoints WHERE thread_id = %s", case.id) == []
    await release(house, halt)
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_a_case_goes_on_when_the_last_of_several_halts_is_released(house: House) -> None:
    first, second = await press(house), await press(house, HaltScope.TOOL, "payments.refund")
    case = await house.after(SMALL)

    await release(house, first)
    assert (await house.case(case.id)).reason == "halted"
    assert await house.refunds(CAST[SMALL].order_id) == []
    await release(house, second)
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[SMALL].order_id)) == 1


async def test_a_wake_up_without_a_release_changes_nothing(house: House) -> None:
    halt = await press(house, HaltScope.TOOL, "payments.refund")
    case = await house.after(SMALL)
    (wait,) = await house.rows("SELECT * FROM halt_waits WHERE case_id = %s", case.id)
    resume = Switch(house.parts)._resume(_wait_of(wait), house.parts.clock())
    async with house.parts.database.transaction() as tx:
        await house.parts.queue.enqueue(tx, resume)

    await house.work()

    assert (await house.case(case.id)).reason == "halted"
    assert await house.refunds(CAST[SMALL].order_id) == []
    assert len(await told(house, case.id, "case.halted")) == 1
    await release(house, halt)
    assert len(await house.refunds(CAST[SMALL].order_id)) == 1


def _wait_of(row: dict[str, Any]) -> HaltWait:
    return HaltWait(**{name: row[name] for name in HaltWait.__dataclass_fields__})


async def test_whoever_began_to_wait_while_the_release_went_by_is_woken_all_the_same(house: House) -> None:
    case = await house.send(SMALL)
    wait = "INSERT INTO halt_waits (case_id, workflow, command_id, since) SELECT case_id, 'refund', id, now()"
    await house.rows(f"{wait} FROM commands WHERE case_id = %s", case.id)
    await house.rows("UPDATE cases SET status = 'blocked', reason = 'halted' WHERE id = %s", case.id)
    await house.work()
    assert (await house.case(case.id)).reason == "halted"

    assert await Switch(house.parts).wake() == 1
    await house.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert await Switch(house.parts).wake() == 0


async def test_no_intent_of_twenty_cases_on_two_runners_is_written_after_the_halt(house: House) -> None:
    cases = [
        await house.send(SMALL, event_id=f"n-{at}", amount_minor=100 + at, currency="EUR") for at in range(20)
    ]
    commands = [row["id"] for row in await house.rows("SELECT id FROM commands ORDER BY created_at, id")]
    begun = asyncio.Event()

    async def perform(real: Tool, arguments: Any, call: Call) -> Record:
        begun.set()
        return await real.perform(arguments, call)

    watching = with_refunds(house, perform)
    first, second = Runner(watching.parts), Runner(watching.parts)

    async def run(runner: Runner, own: list[str]) -> None:
        await asyncio.gather(*(runner.carry_out(command) for command in own))

    running = asyncio.gather(run(first, commands[:10]), run(second, commands[10:]))
    await asyncio.wait_for(begun.wait(), 60)
    halt = await press(house)
    await running

    (order_of,) = await house.rows(_IN_DATABASE_ORDER, halt.id)
    assert order_of["before"] > 0
    assert order_of["after"] == 0
    waiting = [case for case in cases if (await house.case(case.id)).reason == "halted"]
    assert waiting
    await release(house, halt)
    assert {(await house.case(case.id)).reason for case in cases} & {"halted"} == set()


_IN_DATABASE_ORDER = """
SELECT count(*) FILTER (WHERE e.seq < h.seq) AS before, count(*) FILTER (WHERE e.seq > h.seq) AS after
FROM audit_events e, audit_events h
WHERE e.kind = 'effect.intended' AND h.kind = 'halt.pressed' AND h.data ->> 'halt' = %s
"""


async def test_a_halt_waits_for_an_intent_that_is_being_written_and_the_next_one_sees_it(
    house: House,
) -> None:
    async with house.parts.database.transaction() as tx:
        await tx.driver.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended('countersign halts', 0))"
        )
        pressing = asyncio.create_task(press(house))
        done, _ = await asyncio.wait({pressing}, timeout=0.3)
        assert not done, "the halt was written while an intent could still follow it"
    halt = await pressing

    case = await house.send(SMALL)
    async with at_desk(house, case) as desk:
        refused = await desk.execute(wish(case))
    assert (refused.end, refused.reason) == (End.HALTED, "halted")
    assert await house.effects(case.id) == []
    await release(house, halt)


async def test_an_intent_waits_for_a_halt_that_is_being_written_and_sees_it(house: House) -> None:
    case = await house.send(SMALL)
    async with at_desk(house, case) as desk:
        async with house.parts.database.transaction() as tx:
            await tx.driver.execute("SELECT pg_advisory_xact_lock(hashtextextended('countersign halts', 0))")
            executing = asyncio.create_task(desk.execute(wish(case)))
            done, _ = await asyncio.wait({executing}, timeout=1)
            assert not done, "an intent was written while a halt could still come before it"
            await tx.driver.execute(
                "INSERT INTO halts (id, scope, reason_code, pressed_by, pressed_at)"
                " VALUES ('h', 'everything', 'drill', 'host:operator', now())"
            )
        assert (await executing).end is End.HALTED
    assert await house.effects(case.id) == []


async def test_an_effect_killed_after_its_intent_is_not_tried_again_while_it_is_halted(house: House) -> None:
    dying = asyncio.Event()

    async def never(_tool: Tool, _arguments: Any, _call: Call) -> Record:
        dying.set()
        await asyncio.Event().wait()
        raise AssertionError

    case = await house.send(SMALL)
    hanging = with_refunds(house, never)
    work = asyncio.create_task(hanging.work())
    await asyncio.wait_for(dying.wait(), 30)
    work.cancel()
    await asyncio.wait({work})
    halt = await press(house, HaltScope.CONNECTOR, "payments")

    await house.work()

    async with at_desk(house, case) as desk:
        assert (await desk.execute(wish(case))).end is End.HALTED
    assert [effect.state for effect in await house.effects(case.id)] == [EffectState.INTENDED]
    assert await house.refunds(CAST[SMALL].order_id) == []
    await release(house, halt)
    assert (await house.effects(case.id))[0].state is EffectState.DONE
    assert len(await house.refunds(CAST[SMALL].order_id)) == 1


async def test_a_worker_killed_at_any_moment_of_waiting_loses_no_case(
    house: House, clock: ManualClock
) -> None:
    halt = await press(house, HaltScope.TOOL, "payments.refund")
    case = await house.send(SMALL)
    (command,) = await house.rows("SELECT id FROM commands WHERE case_id = %s", case.id)
    kills = 0
    while await _killed(house, clock, command["id"], kills):
        kills += 1
    assert kills > 10

    assert (await house.case(case.id)).reason == "halted"
    waits = await house.rows("SELECT * FROM halt_waits WHERE case_id = %s AND woken_at IS NULL", case.id)
    assert len(waits) == 1
    await release(house, halt)
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[SMALL].order_id)) == 1


async def _killed(house: House, clock: ManualClock, command_id: str, at: int) -> bool:
    """Carry out a command and kill the worker when it looks at the clock for this time; False if it ended."""
    looks = 0

    def fatal() -> datetime:
        nonlocal looks
        looks += 1
        if looks == at + 1:
            working.cancel()
        return clock()

    working = asyncio.create_task(Runner(replace(house.parts, clock=fatal)).carry_out(command_id))
    await asyncio.wait({working})
    if working.cancelled():
        return True
    working.result()
    return False


async def test_votes_still_count_while_everything_is_halted(house: House) -> None:
    review = await house.review((await house.after(SIGNED)).id)
    halt = await press(house)

    assert (await house.vote(review, LEE)).status == "approved"
    await house.work()
    assert await house.refunds(CAST[SIGNED].order_id) == []
    await release(house, halt)
    assert len(await house.refunds(CAST[SIGNED].order_id)) == 1


AGENT = Principal(id="policy", kind=Kind.SERVICE, name="An agent", roles=frozenset({"duty_manager"}))


@pytest.mark.parametrize("who", [SHOP, AGENT, LEE, TESS], ids=lambda who: who.id)
async def test_whoever_may_not_press_does_not_and_the_attempt_is_on_the_record(
    house: House, who: Principal
) -> None:
    with pytest.raises(NotAllowedToHalt):
        await Halting(house.parts).press(order(), who)
    halt = await press(house)
    with pytest.raises(NotAllowedToHalt):
        await Halting(house.parts).release(halt.id, who)

    denied = await house.rows("SELECT actor, data FROM audit_events WHERE kind = 'halt.denied' ORDER BY seq")
    assert [(row["actor"], row["data"]["act"]) for row in denied] == [
        (who.actor, "press"),
        (who.actor, "release"),
    ]
    assert [one.id for one in await Switch(house.parts).listed(released=False)] == [halt.id]


async def test_pressing_and_releasing_are_on_the_record_without_the_words(house: House) -> None:
    halt = await press(house, HaltScope.AGENT, "policy")
    await Halting(house.parts).release(halt.id, DREW)

    events = await house.rows("SELECT * FROM audit_events WHERE kind LIKE 'halt.%%' ORDER BY seq")
    assert [(row["kind"], row["actor"]) for row in events] == [
        ("halt.pressed", "person:drew"),
        ("halt.released", "person:drew"),
    ]
    named = {"halt": halt.id, "scope": "agent", "target": "policy", "reason_code": "incident"}
    assert [row["data"] for row in events] == [named, named]
    (known,) = await Switch(house.parts).listed(released=True)
    assert (known.operators_words, known.released_by) == ("Odd refunds.", "person:drew")
    with pytest.raises(HaltAlreadyReleased):
        await Halting(house.parts).release(halt.id, DREW)
    with pytest.raises(HaltNotFound):
        await Halting(house.parts).release("x", DREW)


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (HaltScope.WORKFLOW, "refunds"),
        (HaltScope.AGENT, "agent:policy"),
        (HaltScope.TOOL, None),
        (HaltScope.CONNECTOR, "payments.refund"),
        (HaltScope.EVERYTHING, "refund"),
    ],
)
async def test_a_stop_that_would_stop_nothing_is_refused(
    house: House, scope: HaltScope, target: str | None
) -> None:
    with pytest.raises(HaltUnfit):
        await Switch(house.parts).press(order(scope, target), HOST)


async def test_the_time_a_case_was_halted_is_not_held_against_it(house: House, clock: ManualClock) -> None:
    halt = await press(house)
    case = await house.after(SMALL)
    clock.advance(timedelta(days=10))
    await release(house, halt)

    assert (await house.case(case.id)).reason != "limit_wall_time"
