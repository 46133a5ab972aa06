"""Rollbacks: what a case has done is taken back on the case itself, by its own rules, and once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectState
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.rollbacks import Asked, NotAllowedToRollBack, NotAtRest, PlanStale, Rollbacks
from graphs.settings import Settings
from graphs.ways_out import WaysOut
from nodes.permissions import Principal
from nodes.rollback_plan import Lasting
from tests.house import FINN, LEE, MAX, SHOP, House, ManualClock
from tests.nodes.desk import with_refunds
from tests.stories.reviewing import EVERYBODY, KIT, NORA, TESS, now_working, told
from tests.stories.standing_still import behaving, refuse, standstill
from tools.contract import Reversibility

SMALL = "clean_29_90_1"
LARGE = "clean_120_00_1"
REVERSAL, RETRACTION = "payments.reverse_refund", "tickets.retract_reply"


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def start(house: House, case: Case, who: Principal = LEE, seen: str | None = None) -> Asked:
    return await Rollbacks(house.parts).start(case.id, "It was sent by mistake.", seen, who)


async def rolled_back(house: House, case: Case, who: Principal = LEE) -> Case:
    await start(house, case, who)
    await house.work()
    return await house.case(case.id)


async def paid_large(house: House) -> Case:
    """A closed case about 120 euros, signed by Max."""
    case = await house.after(LARGE)
    return await house.decided(await house.review(case.id), MAX)


async def states(house: House, case: Case) -> dict[str, EffectState]:
    return {effect.tool: effect.state for effect in await house.effects(case.id)}


async def statuses(house: House, case: Case) -> list[str]:
    return [refund["status"] for refund in await house.refunds(str(case.event["order_id"]))]


async def test_a_plan_names_what_would_be_undone_the_last_deed_first(house: House) -> None:
    case = await house.after(SMALL)
    asked = await Rollbacks(house.parts).plan(case.id, LEE)

    assert [(item.tool, item.by) for item in asked.plan.steps] == [
        ("tickets.reply", RETRACTION),
        ("payments.refund", REVERSAL),
    ]
    assert (asked.plan.lasting, asked.plan.reversibility) == ((), Reversibility.REVERSIBLE)
    assert (await house.case(case.id)).status is Status.CLOSED
    assert await house.rows("SELECT id FROM commands WHERE done_at IS NULL") == []


async def test_a_case_is_rolled_back_on_itself(house: House) -> None:
    case = await house.after(SMALL)
    before = len(await house.events(case.id))
    after = await rolled_back(house, case)

    assert (after.status, after.reason, after.thread_id) == (Status.ROLLED_BACK, None, f"{case.id}.r1")
    assert await states(house, case) == {
        "payments.refund": EffectState.UNDONE,
        "tickets.reply": EffectState.UNDONE,
        REVERSAL: EffectState.DONE,
        RETRACTION: EffectState.DONE,
    }
    assert await statuses(house, case) == ["reversed"]
    kinds = (await house.kinds(case.id))[before:]
    assert kinds[:2] == ["rollback.requested", "rollback.began"]
    assert kinds[-1] == "case.rolled_back"
    assert kinds.count("effect.undone") == kinds.count("effect.done") == 2
    keys = {effect.key for effect in await house.effects(case.id) if effect.undoes is None}
    assert {event["key"] for event in await told(house, case.id, "effect.undone")} == keys


async def test_the_words_of_why_are_sealed(house: House) -> None:
    case = await house.after(SMALL)
    await rolled_back(house, case)
    for table in ("cases", "audit_events", "commands", "checkpoint_blobs"):
        rows = await house.rows(f"SELECT t::text AS row FROM {table} t")  # noqa: S608 - fixed names
        assert not any("sent by mistake" in row["row"] for row in rows), table


async def test_after_its_window_the_reply_stays_and_the_rest_is_undone(
    house: House, clock: ManualClock
) -> None:
    case = await house.after(SMALL)
    clock.advance(timedelta(minutes=10))
    plan = (await Rollbacks(house.parts).plan(case.id, LEE)).plan
    assert [(item.tool, item.lasts) for item in plan.lasting] == [("tickets.reply", Lasting.WINDOW_OVER)]
    after = await rolled_back(house, case)

    assert (after.status, after.reason, after.owner) == (
        Status.ESCALATED,
        "partly_rolled_back",
        "support_lead",
    )
    assert await statuses(house, case) == ["reversed"]


async def test_after_all_windows_nothing_is_undone_and_somebody_owns_that(
    house: House, clock: ManualClock
) -> None:
    case = await house.after(SMALL)
    clock.advance(timedelta(hours=24))
    after = await rolled_back(house, case)
    assert (after.status, after.reason) == (Status.ESCALATED, "nothing_to_roll_back")
    assert await statuses(house, case) == ["done"]


async def test_a_case_that_did_nothing_has_nothing_to_roll_back(house: House) -> None:
    case = await house.after(LARGE)
    case = await house.decided(await house.review(case.id), MAX, VoteKind.REJECT)
    after = await rolled_back(house, case)
    assert (after.status, after.reason) == (Status.ESCALATED, "nothing_to_roll_back")


async def test_above_a_limit_a_second_pair_of_eyes_signs(house: House) -> None:
    case = await paid_large(house)
    waiting = await rolled_back(house, case)
    review = await house.review(case.id)

    assert (waiting.status, review.tool, review.amount_minor) == (Status.WAITING_REVIEW, REVERSAL, 12000)
    assert review.action["undoes"] == f"{case.id}:refund:1"
    with pytest.raises(NotEligible, match="whoever asked"):
        await house.vote(review, LEE)
    after = await house.decided(review, MAX)
    assert after.status is Status.ROLLED_BACK
    assert await statuses(house, case) == ["reversed"]


async def test_who_asked_for_it_does_not_release_it_even_with_a_vote_in_the_table(house: House) -> None:
    case = await paid_large(house)
    await rolled_back(house, case, LEE)
    review = await house.review(case.id)
    await house.vote(review, MAX)
    asked = f'{{"by": "{MAX.actor}"}}'
    await house.rows("UPDATE cases SET rollback = rollback || %s::jsonb WHERE id = %s", asked, case.id)
    await house.work()
    again = await house.case(case.id)
    assert again.status is Status.WAITING_REVIEW
    assert await statuses(house, case) == ["done"]


async def test_what_people_will_not_have_undone_stays_and_is_named(house: House) -> None:
    case = await paid_large(house)
    await rolled_back(house, case)
    after = await house.decided(await house.review(case.id), MAX, VoteKind.REJECT)
    assert (after.status, after.reason) == (Status.ESCALATED, "partly_rolled_back")
    (event,) = await told(house, case.id, "case.escalated")
    assert event["skipped"] == {f"{case.id}:refund:1": "review_rejected"}
    assert await statuses(house, case) == ["done"]


async def test_a_second_rollback_takes_up_what_the_first_one_left(house: House) -> None:
    case = await paid_large(house)
    await rolled_back(house, case)
    await house.decided(await house.review(case.id), MAX, VoteKind.REJECT)
    await rolled_back(house, await house.case(case.id), FINN)
    after = await house.decided(await house.review(case.id), MAX)
    assert (after.status, after.thread_id) == (Status.ROLLED_BACK, f"{case.id}.r2")
    assert await statuses(house, case) == ["reversed"]


async def test_the_same_rollback_asked_for_twice_or_at_once_is_one(house: House) -> None:
    case = await house.after(SMALL)
    asked = await asyncio.gather(*(start(house, case, who) for who in (LEE, MAX, FINN, TESS)))
    assert sorted(one.new for one in asked) == [False, False, False, True]
    assert {one.number for one in asked} == {1}
    await house.work()
    assert not (await start(house, case)).new
    await house.work()
    assert len(await told(house, case.id, "rollback.requested", "case.rolled_back")) == 2
    assert len(await house.effects(case.id)) == 4


@pytest.mark.parametrize("who", [NORA, KIT, SHOP], ids=lambda who: who.id)
async def test_nobody_else_asks_for_one_and_the_attempt_is_on_the_record(
    house: House, who: Principal
) -> None:
    case = await house.after(SMALL)
    for attempt in (start(house, case, who), Rollbacks(house.parts).plan(case.id, who)):
        with pytest.raises(NotAllowedToRollBack):
            await attempt
    assert [event["by"] for event in await told(house, case.id, "rollback.denied")] == [who.actor] * 2
    assert (await house.case(case.id)).thread_id == case.id


async def test_a_case_that_is_not_at_rest_is_not_rolled_back(house: House) -> None:
    waiting = await house.after(LARGE)
    fresh = await house.send(SMALL)
    for case in (fresh, waiting):
        with pytest.raises(NotAtRest):
            await start(house, case)


async def test_a_plan_that_is_not_what_was_seen_is_refused(house: House, clock: ManualClock) -> None:
    case = await house.after(SMALL)
    seen = (await Rollbacks(house.parts).plan(case.id, LEE)).plan.digest
    clock.advance(timedelta(minutes=11))
    with pytest.raises(PlanStale):
        await start(house, case, seen=seen)


async def test_a_plan_that_moved_before_it_was_begun_is_refused(house: House) -> None:
    case = await house.after(SMALL)
    await start(house, case)
    await house.rows("UPDATE effects SET state = 'unknown' WHERE tool = 'tickets.reply'")
    await house.work()
    after = await house.case(case.id)
    assert (after.status, after.reason) == (Status.ESCALATED, "plan_stale")
    assert await statuses(house, case) == ["done"]


async def test_a_deed_of_which_nobody_knows_whether_it_happened_is_named(house: House) -> None:
    case = await house.after(SMALL)
    await house.rows("UPDATE effects SET state = 'unknown' WHERE tool = 'tickets.reply'")
    plan = (await Rollbacks(house.parts).plan(case.id, LEE)).plan
    assert [(item.tool, item.lasts) for item in plan.lasting] == [("tickets.reply", Lasting.OUTCOME_UNKNOWN)]
    after = await rolled_back(house, case)
    assert (after.status, after.reason) == (Status.ESCALATED, "partly_rolled_back")


async def test_a_deed_of_another_version_of_its_tool_counts_as_irreversible(house: House) -> None:
    case = await house.after(SMALL)

    async def honest(tool: Any, arguments: Any, call: Any) -> Any:
        return await tool.perform(arguments, call)

    newer = with_refunds(house, honest, version="2")
    plan = (await Rollbacks(newer.parts).plan(case.id, LEE)).plan
    assert [(item.tool, item.lasts) for item in plan.lasting] == [("payments.refund", Lasting.IRREVERSIBLE)]
    assert plan.reversibility is Reversibility.IRREVERSIBLE


async def test_what_a_cancelled_case_has_done_can_still_be_taken_back(house: House) -> None:
    case = await behaving(house, tickets_reply=refuse).after(SMALL)
    await WaysOut(house.parts).cancel((await standstill(house, case.id)).id, "Never mind.", TESS)
    await Rollbacks(house.parts).start(case.id, "Nor the refund.", None, TESS)
    await house.work()

    assert (await house.case(case.id)).status is Status.ROLLED_BACK
    (refund, *_) = await house.effects(case.id)
    assert (refund.tool, refund.state) == ("payments.refund", EffectState.UNDONE)
