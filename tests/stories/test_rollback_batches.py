"""Batches of rollbacks: every case is taken back once or named, whatever breaks in the middle."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.audit import Event, tell
from checkpoints.cases import Status
from checkpoints.rollbacks import Choice
from graphs.batches import Batches, BatchNotFound, NothingToRollBack, Result
from graphs.rollbacks import NotAllowedToRollBack, PlanStale
from graphs.settings import Settings
from tests.house import FINN, LEE, MAX, House
from tests.kills import killed_at
from tests.nodes.desk import at_the_company
from tests.stories.reviewing import EVERYBODY, KIT, now_working
from tests.stories.test_rollback_faults import REVERSAL, Trouble, another_worker, troubled
from tools.contract import OutcomeUnknown, ToolRefused
from tools.sandbox.cast import CAST

SMALL = "clean_29_90_1"
SCENES = [f"clean_29_90_{turn}" for turn in range(1, 9)]
EACH = 25
MANY = EACH * len(SCENES)
IN_THE_WAY = {
    (Result.FAILED, "rollback_failed"),
    (Result.PARTLY, "partly_rolled_back"),  # of the cases that have also answered, if it hits one
}

CASES = """
INSERT INTO cases SELECT (jsonb_populate_record(c, jsonb_build_object(
    'id', new, 'thread_id', new, 'event_id', new, 'head', NULL))).*
FROM cases c, unnest(%s::text[]) AS new WHERE c.id = %s
"""
GRANTS = """
INSERT INTO grants SELECT (jsonb_populate_record(g, jsonb_build_object(
    'id', 'grant-' || new, 'case_id', new))).*
FROM effects e JOIN grants g ON g.id = e.grant_id, unnest(%s::text[]) AS new WHERE e.key = %s
"""
EFFECTS = """
INSERT INTO effects SELECT (jsonb_populate_record(e, jsonb_build_object(
    'key', new || ':refund:1', 'case_id', new, 'grant_id', 'grant-' || new,
    'receipt', e.receipt || jsonb_build_object('refund_id', 'R-5' || right(new, 6), 'amount_minor', 1)))).*
FROM effects e, unnest(%s::text[]) AS new WHERE e.key = %s
"""
REFUNDS = """
INSERT INTO refunds (refund_id, payment_id, order_id, customer_id, amount_minor, currency, reason_code,
                     status, created_at, idempotency_key)
SELECT 'R-5' || right(new, 6), payment_id, order_id, customer_id, 1, currency, reason_code, 'done',
       created_at, new || ':refund:1'
FROM refunds, unnest(%s::text[]) AS new WHERE refund_id = %s
"""


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def many(house: House, settings: Settings) -> None:
    """Many closed cases, each with a refund of its own of one cent, in our books and the company's."""
    for at, scene in enumerate(SCENES):
        ids = [f"many-{at}{turn:05}" for turn in range(EACH - 1)]
        await _like(house, settings, scene, ids)


async def _like(house: House, settings: Settings, scene: str, ids: list[str]) -> None:
    """Cases like the one that the scene's event comes to."""
    model = await house.after(scene, amount_minor=1, currency="EUR")
    refund = (await house.effects(model.id))[0]
    assert refund.receipt is not None
    await house.rows(CASES, ids, model.id)
    await house.rows(GRANTS, ids, refund.key)
    await house.rows(EFFECTS, ids, refund.key)
    await at_the_company(settings, REFUNDS, ids, refund.receipt["refund_id"])
    await at_the_company(
        settings,
        "UPDATE payments SET refunded_minor = %s WHERE order_id = %s",
        EACH,
        CAST[scene].order_id,
    )
    async with house.parts.database.transaction() as tx:
        for case_id in ids:
            await tell(tx, *(_told(house, case_id, kind) for kind in ("effect.intended", "effect.done")))


def _told(house: House, case_id: str, kind: str) -> Event:
    data = {"key": f"{case_id}:refund:1", "verdict": {"outcome": "allow"}}
    return Event(
        id=f"{kind}/{case_id}", case_id=case_id, kind=kind, actor="gateway", at=house.parts.clock(), data=data
    )


def choice(house: House, **changes: Any) -> Choice:
    now = house.parts.clock()
    hour = timedelta(hours=1)
    usual: dict[str, Any] = {"workflow": "refund", "since": now - hour, "until": now + hour}
    return Choice(**usual | changes)


async def results(house: House, batch_id: str | None) -> Counter[tuple[Result, str | None]]:
    progress = await Batches(house.parts).progress(str(batch_id))
    return Counter((one.result, one.reason) for one in progress.outcomes)


async def test_of_many_every_one_is_undone_once_or_named_whatever_breaks(
    house: House, settings: Settings
) -> None:
    await many(house, settings)
    batches = Batches(house.parts)
    batch = await batches.start(choice(house, agent="agent:policy"), "A bad table.", None, LEE)
    assert len(batch.items) == MANY
    assert await results(house, batch.id) == {(Result.UNDER_WAY, None): MANY}

    def before(number: int) -> Exception | None:
        if number % 15 == 0:
            return ToolRefused("not today")
        return OutcomeUnknown("it timed out") if number % 17 == 0 else None

    def after(number: int) -> Exception | None:
        return OutcomeUnknown("the answer was lost") if number % 10 == 1 else None

    broken = troubled(house, {REVERSAL: Trouble(before=before, after=after)})
    commands = await house.rows("SELECT id FROM commands WHERE done_at IS NULL ORDER BY id")
    for at, command in enumerate(commands[: MANY // 2 : 9]):
        async with another_worker(broken) as dying:
            await killed_at(7 * at, dying.runner.carry_out(command["id"]))
    await _by_four(broken, [command["id"] for command in commands])

    found = await results(house, batch.id)
    assert sum(found.values()) == MANY
    named = MANY - found[Result.DONE, None]
    assert 0 < named < MANY // 3
    assert named == sum(found[way] for way in IN_THE_WAY)

    again = await batches.start(choice(house), "What was left.", None, FINN)
    await _by_four(
        house, [row["id"] for row in await house.rows("SELECT id FROM commands WHERE done_at IS NULL")]
    )
    assert (await results(house, batch.id)) == {(Result.DONE, None): MANY}
    refused = {item.refused for item in again.items if item.refused}
    assert refused == {"undone_already"}
    await _require_everything_undone_once(house)


async def _by_four(house: House, commands: list[str]) -> None:
    """Four runners at once, as in a worker."""
    turns = asyncio.Semaphore(4)

    async def one(command: str) -> None:
        async with turns:
            await house.runner.carry_out(command)

    await asyncio.gather(*map(one, commands))


async def _require_everything_undone_once(house: House) -> None:
    refunds = [one for scene in SCENES for one in await house.refunds(CAST[scene].order_id)]
    assert {refund["status"] for refund in refunds} == {"reversed"}
    assert len(refunds) == MANY
    undone = await house.rows(
        "SELECT count(*) AS n, count(DISTINCT data ->> 'key') AS keys FROM audit_events"
        " WHERE kind = 'effect.undone' AND data ->> 'key' LIKE '%%:refund:1'"
    )
    assert undone == [{"n": MANY, "keys": MANY}]
    left = await house.rows("SELECT key FROM effects WHERE undoes IS NULL AND state <> 'undone'")
    assert left == []


async def test_a_batch_is_chosen_by_who_did_it_when_and_by_which_rules(house: House) -> None:
    case = await house.after(SMALL)
    batches, table = Batches(house.parts), house.parts.workflows["refund"].rulings["payments.refund"].table
    now = house.parts.clock()

    async def chosen(**changes: Any) -> list[str]:
        return [item.case_id for item in (await batches.plan(choice(house, **changes), LEE)).items]

    for fits in (
        {},
        {"agent": "agent:policy"},
        {"agent": "agent:policy", "agent_version": "1"},
        {"rules_digest": table.digest},
        {"since": now},
    ):
        assert await chosen(**fits) == [case.id], fits
    for other in (
        {"agent": "agent:triage"},
        {"agent": "agent:policy", "agent_version": "2"},
        {"rules_digest": "0" * 64},
        {"until": now},
    ):
        assert await chosen(**other) == [], other


async def test_a_case_that_is_not_at_rest_is_named_and_the_others_start(house: House) -> None:
    ready = await house.after(SMALL)
    other = await house.after("clean_29_90_2")
    await house.rows("UPDATE cases SET status = 'waiting_review' WHERE id = %s", other.id)
    batch = await Batches(house.parts).start(choice(house), "A mistake.", None, LEE)
    await house.work()
    assert await results(house, batch.id) == {
        (Result.DONE, None): 1,
        (Result.REFUSED, "the case is waiting_review"): 1,
    }
    assert (await house.case(ready.id)).status is Status.ROLLED_BACK
    (event,) = await house.rows("SELECT case_id, data FROM audit_events WHERE id = %s", batch.id)
    assert event["case_id"] is None
    assert event["data"]["refused"] == {other.id: "the case is waiting_review"}


async def test_what_waits_for_people_says_so(house: House) -> None:
    case = await house.after("clean_120_00_1")
    await house.decided(await house.review(case.id), MAX)
    batch = await Batches(house.parts).start(choice(house), "A mistake.", None, LEE)
    await house.work()
    assert await results(house, batch.id) == {(Result.WAITING_REVIEW, None): 1}
    await house.decided(await house.review(case.id), MAX)
    assert await results(house, batch.id) == {(Result.DONE, None): 1}


async def test_two_batches_of_the_same_cases_are_one(house: House) -> None:
    await house.after(SMALL)
    batches = Batches(house.parts)
    found = await asyncio.gather(
        *(batches.start(choice(house), "A mistake.", None, who) for who in (LEE, MAX, FINN)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, NothingToRollBack) for one in found) == 2
    await house.work()
    assert len(await house.rows("SELECT id FROM commands WHERE kind = 'rollback'")) == 1


async def test_who_may_not_roll_back_one_case_may_not_roll_back_many(house: House) -> None:
    await house.after(SMALL)
    for attempt in (
        Batches(house.parts).plan(choice(house), KIT),
        Batches(house.parts).start(choice(house), "Why not.", None, KIT),
    ):
        with pytest.raises(NotAllowedToRollBack):
            await attempt
    denied = await house.rows("SELECT actor, case_id FROM audit_events WHERE kind = 'rollback.denied'")
    assert denied == [{"actor": KIT.actor, "case_id": None}] * 2


async def test_a_batch_whose_plan_has_moved_is_not_started(house: House) -> None:
    await house.after(SMALL)
    seen = (await Batches(house.parts).plan(choice(house), LEE)).digest
    await house.after("clean_29_90_2")
    with pytest.raises(PlanStale):
        await Batches(house.parts).start(choice(house), "A mistake.", seen, LEE)
    with pytest.raises(BatchNotFound):
        await Batches(house.parts).progress("nothing")
