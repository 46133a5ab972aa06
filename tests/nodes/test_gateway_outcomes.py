"""What became of a call is what the gateway knows of it: a deed is never declared undone by guess."""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectRow, EffectState
from nodes.execution import End
from tests.house import House, ManualClock
from tests.nodes.desk import at_desk, paid, wish, with_refunds
from tools.breakers import MOST_FAILURES, REST, Breakers
from tools.contract import Call, OutcomeUnknown, Record, Tool, ToolError, ToolRefused
from tools.registry import Registry
from tools.sandbox.cast import CAST

SCENE = "clean_29_90_1"

Deed = Callable[[Tool, Any, Call], Awaitable[Record]]


class Nonsense(Record):
    """No refund at all."""

    word: str = "ok"


class Broken(Exception):
    """A mistake in a connector, of a kind that its contract does not know."""


async def do_it(tool: Tool, arguments: Any, call: Call) -> Record:
    return await tool.perform(arguments, call)


async def lose_the_answer(tool: Tool, arguments: Any, call: Call) -> Record:
    await tool.perform(arguments, call)
    raise OutcomeUnknown("the line is dead")


async def lose_the_question(tool: Tool, arguments: Any, call: Call) -> Record:
    raise OutcomeUnknown("the line is dead")


async def refuse(tool: Tool, arguments: Any, call: Call) -> Record:
    raise ToolRefused("not now")


async def break_after_it(tool: Tool, arguments: Any, call: Call) -> Record:
    await tool.perform(arguments, call)
    raise Broken


@dataclass(slots=True)
class Script:
    """A payment system that does one thing after another, and counts."""

    deeds: list[Deed]
    calls: int = 0
    keys: set[str] = field(default_factory=set)

    async def perform(self, tool: Tool, arguments: Any, call: Call) -> Record:
        deed = self.deeds[min(self.calls, len(self.deeds) - 1)]
        self.calls += 1
        self.keys.add(call.key)
        return await deed(tool, arguments, call)


async def _state(house: House, case: Case) -> EffectState:
    (effect,) = await house.effects(case.id)
    return effect.state


async def _executed(house: House, case: Case, script: Script, times: int, **changes: Any) -> list[End]:
    async with at_desk(with_refunds(house, script.perform, **changes), case) as desk:
        return [(await desk.execute(wish(case))).end for _ in range(times)]


async def test_an_answer_that_was_lost_is_found(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_answer])

    assert await _executed(house, case, script, 2) == [End.DONE, End.DONE]
    assert (script.calls, await paid(house, SCENE)) == (1, [2990])


async def test_a_question_that_was_lost_is_asked_again_under_the_same_key(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_question, do_it])

    assert await _executed(house, case, script, 2) == [End.DONE, End.DONE]
    assert (script.calls, len(script.keys), await paid(house, SCENE)) == (2, 1, [2990])
    assert (await house.effects(case.id))[0].attempts == 2
    ends = [
        event for event in await house.events(case.id) if event["kind"] in {"effect.unknown", "effect.done"}
    ]
    told = [(event["kind"], event["data"]["attempts"]) for event in ends]
    assert told == [("effect.done", 2)]


async def test_what_can_only_be_repeated_is_repeated_under_the_same_key(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_answer, do_it])

    assert await _executed(house, case, script, 1, find=None) == [End.DONE]
    assert (script.calls, len(script.keys), await paid(house, SCENE)) == (2, 1, [2990])


async def test_what_can_be_neither_found_nor_repeated_stays_unknown(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_answer])

    ends = await _executed(house, case, script, 4, find=None, idempotent=False)

    assert ends == 4 * [End.UNKNOWN]
    assert (script.calls, await paid(house, SCENE)) == (1, [2990])
    assert await _state(house, case) is EffectState.UNKNOWN


async def test_while_nobody_can_be_asked_nothing_is_repeated(house: House) -> None:
    async def nobody_knows(_key: str) -> Record | None:
        raise ToolError("closed for today")

    case, script = await house.send(SCENE), Script([lose_the_answer])

    assert await _executed(house, case, script, 3, find=nobody_knows) == 3 * [End.UNKNOWN]
    assert (script.calls, await paid(house, SCENE)) == (1, [2990])


async def test_what_was_refused_stays_refused(house: House) -> None:
    case, script = await house.send(SCENE), Script([refuse, do_it])

    assert await _executed(house, case, script, 3) == 3 * [End.FAILED]
    assert (script.calls, await paid(house, SCENE)) == (1, [])
    assert await _state(house, case) is EffectState.FAILED


async def test_a_broken_connector_leaves_an_intent_and_a_case_that_says_so(house: House) -> None:
    script = Script([break_after_it])
    broken = with_refunds(house, script.perform)

    case = await broken.after(SCENE)

    assert (case.status, case.reason, case.owner) == (Status.FAILED, "unexpected_error", "operations")
    assert await _state(house, case) is EffectState.INTENDED
    assert await _executed(house, case, script, 2) == [End.DONE, End.DONE]
    assert (script.calls, await paid(house, SCENE)) == (1, [2990])


async def test_nonsense_that_was_found_is_no_receipt(house: House) -> None:
    async def find(_key: str) -> Record | None:
        return Nonsense()

    case, script = await house.send(SCENE), Script([lose_the_question])

    assert await _executed(house, case, script, 2, find=find) == [End.UNKNOWN, End.UNKNOWN]


async def test_a_repetition_that_is_refused_does_not_undo_the_first_call(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_answer, refuse])

    assert await _executed(house, case, script, 2, find=None) == [End.UNKNOWN, End.UNKNOWN]
    assert await paid(house, SCENE) == [2990]
    assert await _state(house, case) is EffectState.UNKNOWN


async def test_a_new_version_of_a_tool_does_not_undo_what_the_old_one_began(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_answer])
    await _executed(house, case, script, 1, find=None)

    await _executed(house, case, script, 1, find=None, version="2")

    assert await paid(house, SCENE) == [2990]
    assert await _state(house, case) is EffectState.UNKNOWN


async def test_an_unknown_deed_is_told_once_a_task_and_owned_by_somebody(house: House) -> None:
    blind = with_refunds(house, Script([lose_the_answer]).perform, find=None, idempotent=False)

    case = await blind.after(SCENE)

    assert (case.status, case.owner) == (Status.UNCERTAIN, "support_lead")
    assert (await house.kinds(case.id)).count("effect.unknown") == 1
    assert [refund["order_id"] for refund in await house.refunds(CAST[SCENE].order_id)] == [
        CAST[SCENE].order_id
    ]


# --- how often, and how long in between -------------------------------------------------------------------


@dataclass(slots=True)
class Waits:
    """Writes down for how long it was asked to wait, and looks at what is known meanwhile."""

    house: House
    case: Case
    seconds: list[float] = field(default_factory=list)
    known: list[EffectState] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.known.append(await _state(self.house, self.case))


async def test_a_lost_question_is_asked_three_times_at_most_and_later_each_time(house: House) -> None:
    case, script = await house.send(SCENE), Script([lose_the_question])
    waits = Waits(house, case)
    waiting = House(replace(house.parts, sleep=waits, chance=lambda: 0.5))

    assert await _executed(waiting, case, script, 1) == [End.UNKNOWN]

    assert (script.calls, len(script.keys), waits.seconds) == (3, 1, [1.0, 3.0])
    assert waits.known == [EffectState.INTENDED] * 2, "whoever is killed while waiting leaves an intent"
    assert (await house.effects(case.id))[0].attempts == 3
    assert [event["kind"] for event in await house.events(case.id)].count("effect.unknown") == 1


async def test_chance_spreads_the_waits(house: House) -> None:
    waited: list[list[float]] = []
    for chance in (itertools.repeat(0.0), itertools.repeat(1.0)):
        case = await house.send(SCENE, f"lost-{len(waited)}")
        waits = Waits(house, case)
        waiting = House(replace(house.parts, sleep=waits, chance=chance.__next__))
        await _executed(waiting, case, Script([lose_the_question]), 1)
        waited.append(waits.seconds)

    assert waited == [[0.5, 1.5], [1.5, 4.5]]


async def test_a_refusal_after_a_lost_answer_settles_nothing_although_nothing_was_found(house: House) -> None:
    async def not_yet(_key: str) -> Record | None:
        return None

    case, script = await house.send(SCENE), Script([lose_the_answer, refuse])

    assert await _executed(house, case, script, 1, find=not_yet) == [End.UNKNOWN]
    assert await paid(house, SCENE) == [2990]


async def test_a_connector_that_rests_is_not_begun_with(house: House, clock: ManualClock) -> None:
    case, script = await house.send(SCENE), Script([do_it])
    breakers = Breakers(clock)
    resting = with_breakers(with_refunds(house, script.perform), breakers)
    for _ in range(MOST_FAILURES):
        await breakers.failed("payments")

    async with at_desk(resting, case) as desk:
        before = await desk.execute(wish(case))
        clock.advance(REST)
        after = await desk.execute(wish(case))

    assert (before.end, before.reason, after.end) == (End.BLOCKED, "connector_rests", End.DONE)
    assert (script.calls, await paid(house, SCENE)) == (1, [2990])
    assert (await house.kinds(case.id)).count("effect.intended") == 1


async def test_a_connector_that_begins_to_rest_after_the_judgement_is_not_begun_with(
    house: House, clock: ManualClock
) -> None:
    """The facts are read; then somebody else's failures let the connector rest before the intent."""
    case, script = await house.send(SCENE), Script([do_it])
    breakers = Breakers(clock)
    resting = with_breakers(with_refunds(house, script.perform), breakers)

    async with at_desk(resting, case) as desk:
        judge = desk.context.gateway.judge

        async def deeds_then_rest(proposer: str, tool: str, since: datetime) -> Sequence[EffectRow]:
            """Asked when all records have been read."""
            for _ in range(MOST_FAILURES):
                await breakers.failed("payments")
            return await judge.deeds(proposer, tool, since)

        gateway = replace(desk.context.gateway, judge=replace(judge, deeds=deeds_then_rest))
        late = replace(desk, context=replace(desk.context, gateway=gateway))
        blocked = await late.execute(wish(case))

    assert (blocked.end, blocked.reason) == (End.BLOCKED, "connector_rests")
    assert (script.calls, await house.effects(case.id)) == (0, [])


async def test_while_a_connector_rests_a_lost_deed_is_not_called_again_either(
    house: House, clock: ManualClock
) -> None:
    case, script = await house.send(SCENE), Script([lose_the_answer])
    breakers = Breakers(clock, most=1)
    resting = with_breakers(with_refunds(house, script.perform, find=None), breakers)

    async with at_desk(resting, case) as desk:
        lost = await desk.execute(wish(case))

    assert (lost.end, lost.reason) == (End.UNKNOWN, "connector_rests")
    assert (script.calls, await paid(house, SCENE)) == (1, [2990])


def with_breakers(house: House, breakers: Breakers) -> House:
    """The same house with breakers around its connectors."""
    registry = Registry(house.parts.registry._real.values(), breakers=breakers)
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))
