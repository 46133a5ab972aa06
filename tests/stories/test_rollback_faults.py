"""A rollback that is killed, doubled or left without an answer at any step ends as if nothing had been."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.database import open_database
from checkpoints.effects import EffectState
from graphs.rollbacks import Rollbacks
from graphs.settings import Settings
from nodes.undoing import undo_proposal
from tests.house import LEE, MAX, House
from tests.kills import killed_at
from tests.nodes.desk import at_desk, at_the_company
from tests.stories.reviewing import EVERYBODY, now_working, told
from tests.stories.standing_still import altered
from tools.contract import OutcomeUnknown, Record, ToolError, ToolRefused
from tools.registry import Registry
from tools.sandbox.cast import CAST

SMALL = "clean_29_90_1"
REVERSAL, RETRACTION = "payments.reverse_refund", "tickets.retract_reply"


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def begun(house: House, number: int) -> Case:
    """A case that has refunded 10.00 and answered, and whose rollback is asked for."""
    case = await house.send(SMALL, event_id=f"e-{number}", amount_minor=100, currency="EUR")
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    await Rollbacks(house.parts).start(case.id, "A mistake.", None, LEE)
    return case


@dataclass(slots=True)
class Trouble:
    """What goes wrong with a tool: by the number of its call, before or after the deed."""

    before: Callable[[int], Exception | None] = lambda _: None
    after: Callable[[int], Exception | None] = lambda _: None
    calls: int = 0

    async def perform(self, real: Any, arguments: Any, call: Any) -> Any:
        self.calls += 1
        number = self.calls
        if (error := self.before(number)) is not None:
            raise error
        done = await real.perform(arguments, call)
        if (error := self.after(number)) is not None:
            raise error
        return done


def troubled(house: House, troubles: dict[str, Trouble], **changes: Any) -> House:
    """The same house with tools that have their troubles."""

    def tool(real: Any) -> Any:
        if real.name not in troubles:
            return real
        trouble = troubles[real.name]

        async def performed(arguments: Any, call: Any) -> Any:
            return await trouble.perform(real, arguments, call)

        return replace(real, perform=performed, **changes)

    registry = Registry([tool(real) for real in house.parts.registry._real.values()])
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))


@asynccontextmanager
async def another_worker(house: House) -> AsyncIterator[House]:
    """A runner on a pool of its own: what a kill leaves in it troubles nobody else."""
    async with open_database(house.parts.database.conninfo) as database:
        yield House(replace(house.parts, database=database))


async def command(house: House, case: Case) -> str:
    (row,) = await house.rows("SELECT id FROM commands WHERE case_id = %s AND done_at IS NULL", case.id)
    return str(row["id"])


async def ended(house: House, case: Case) -> tuple[Status, dict[str, EffectState]]:
    effects = await house.effects(case.id)
    assert len({effect.tool for effect in effects}) == len(effects), "a deed was done twice"
    return (await house.case(case.id)).status, {effect.tool: effect.state for effect in effects}


async def forget(settings: Settings) -> None:
    """Take the refunds of the scene out of the company's books, or they would sum up."""
    await at_the_company(settings, "DELETE FROM refunds WHERE order_id = %s", CAST[SMALL].order_id)


WHOLE = {
    "payments.refund": EffectState.UNDONE,
    "tickets.reply": EffectState.UNDONE,
    REVERSAL: EffectState.DONE,
    RETRACTION: EffectState.DONE,
}


async def test_a_rollback_killed_anywhere_goes_on_and_undoes_everything_once(
    house: House, settings: Settings
) -> None:
    killed, number = True, 0
    while killed:
        case = await begun(house, number)
        async with another_worker(house) as dying:
            killed = await killed_at(number * 5, dying.runner.carry_out(await command(house, case)))
        await house.work()
        assert await ended(house, case) == (Status.ROLLED_BACK, WHOLE), number
        assert len(await told(house, case.id, "effect.undone")) == 2
        assert len(await told(house, case.id, "case.rolled_back")) == 1
        await forget(settings)
        number += 1
    assert number > 10, "the rollback has hardly waited: nothing was tried"


async def not_booked_yet(_key: str) -> Record | None:
    raise ToolError("not booked yet")


async def test_an_undo_whose_answer_was_lost_is_found_by_the_next_rollback(house: House) -> None:
    case = await begun(house, 0)
    lost = troubled(house, {REVERSAL: Trouble(after=lambda _: OutcomeUnknown("no answer"))})
    await altered(lost, REVERSAL, find=not_booked_yet).work()
    status, effects = await ended(house, case)
    assert (status, effects[REVERSAL]) == (Status.ESCALATED, EffectState.UNKNOWN)
    (event,) = await told(house, case.id, "case.escalated")
    assert event["reason"] == "partly_rolled_back"
    assert event["skipped"] == {f"{case.id}:refund:1": "find_tool_error"}

    await Rollbacks(house.parts).start(case.id, "Once more.", None, MAX)
    await house.work()
    assert await ended(house, case) == (Status.ROLLED_BACK, WHOLE)


async def test_a_refused_undo_is_named_and_tried_again_by_the_next_rollback(house: House) -> None:
    case = await begun(house, 0)
    refusing = troubled(house, {REVERSAL: Trouble(before=lambda _: ToolRefused("not today"))})
    await refusing.work()
    status, effects = await ended(house, case)
    assert (status, effects[REVERSAL]) == (Status.ESCALATED, EffectState.FAILED)

    await Rollbacks(house.parts).start(case.id, "Once more.", None, MAX)
    await house.work()
    assert (await house.case(case.id)).status is Status.ROLLED_BACK
    refunds = await house.refunds(CAST[SMALL].order_id)
    assert [refund["status"] for refund in refunds] == ["reversed"]


async def test_where_no_undo_succeeds_the_rollback_has_failed(house: House) -> None:
    case = await begun(house, 0)
    no = Trouble(before=lambda _: ToolRefused("no"))
    await troubled(house, {REVERSAL: no, RETRACTION: no}).work()
    after = await house.case(case.id)
    assert (after.status, after.reason, after.owner) == (
        Status.ESCALATED,
        "rollback_failed",
        "support_lead",
    )


async def test_a_state_without_a_rollback_undoes_nothing(house: House) -> None:
    """What the state names is worth nothing unless somebody has asked, by the case's row."""
    case = await house.after(SMALL)
    (refund, _) = await house.effects(case.id)
    proposal = undo_proposal(refund, house.parts.registry, step="forged", revision=1)
    async with at_desk(house, case) as desk:
        execution = await desk.execute(proposal)
    assert execution.end == "blocked"
    assert [row["status"] for row in await house.refunds(CAST[SMALL].order_id)] == ["done"]
