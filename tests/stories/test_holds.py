"""Held decisions: nothing is done before the hold ends, and until then whoever signed takes it back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectState
from checkpoints.errors import TooEarly
from checkpoints.reaper import ORPHANED_AFTER, Reaper
from checkpoints.reviews import Review, ReviewStatus
from checkpoints.session import fenced_session
from checkpoints.votes import VoteKind, approved_by
from graphs.closing import NotEligible
from graphs.contexts import context_on
from graphs.settings import Settings
from graphs.withdrawals import NothingToWithdraw, Withdrawals
from nodes.execution import End, Execution
from nodes.permissions import Principal
from tests.engine.processes import until
from tests.house import FINN, LEE, MAX, House, ManualClock
from tests.nodes.desk import Desk, paid, wish
from tests.stories.reviewing import (
    EVERYBODY,
    MEG,
    NORA,
    RF_91,
    TESS,
    ask_instead,
    denials,
    now_working,
    told,
    waiting,
)

SCENE = "clean_120_00_1"
HOLD = timedelta(seconds=8)
HELD = RF_91.replace("due: 8h", "due: 8h, hold: 8s")
INSTANT = timedelta(microseconds=1)


@pytest.fixture
async def review(house: House, settings: Settings) -> Review:
    """A review of a case whose rules hold a decision for eight seconds."""
    now_working(settings, *EVERYBODY)
    await ask_instead(house, HELD)
    return await waiting(house, SCENE)


async def withdraw(house: House, review: Review, who: Principal) -> Review:
    return await Withdrawals(house.parts).withdraw(review.id, who)


@asynccontextmanager
async def at_its_desk(house: House, case: Case) -> AsyncIterator[Desk]:
    """The case's desk, with the rules that it began with."""
    parts = house.parts
    workflow = await parts.rulebook.workflow(parts.workflows[case.workflow], case.rules)
    async with fenced_session(parts.database.engine, case.id) as session:
        yield Desk(context_on(house.parts, case, workflow, session))


async def commands(house: House) -> list[str]:
    return [row["id"] for row in await house.rows("SELECT id FROM commands WHERE done_at IS NULL")]


async def test_nothing_is_done_before_the_hold_ends(house: House, review: Review, clock: ManualClock) -> None:
    case = await house.decided(review, LEE)
    assert (case.status, await paid(house, SCENE)) == (Status.APPROVED, [])
    (grant,) = await house.rows("SELECT usable_from, issued_at FROM grants")
    assert grant["usable_from"] - grant["issued_at"] == HOLD

    clock.advance(HOLD - INSTANT)
    await house.work()
    assert await paid(house, SCENE) == []

    clock.advance(INSTANT)
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await paid(house, SCENE)) == 1


async def test_the_wake_up_is_in_line_for_the_moment_the_hold_ends(house: House, review: Review) -> None:
    await house.vote(review, LEE)
    (job,) = await house.rows(
        "SELECT scheduled_at, lock FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at IS NOT NULL"
    )
    assert job["scheduled_at"] == house.parts.clock() + HOLD
    assert job["lock"] != review.case_id  # or what comes after it would wait behind it


async def test_a_command_for_later_is_not_carried_out_early(house: House, review: Review) -> None:
    await house.vote(review, LEE)
    (command,) = await commands(house)
    with pytest.raises(TooEarly):
        await house.runner.carry_out(command)
    assert await commands(house) == [command]


async def test_a_gate_that_is_woken_early_by_something_else_waits_on(
    house: House, review: Review, clock: ManualClock
) -> None:
    await house.vote(review, LEE)
    await house.rows(
        "INSERT INTO commands (id, case_id, kind, dedupe_key, payload, created_at)"
        " SELECT 'early', case_id, kind, 'early', payload, created_at FROM commands WHERE run_at IS NOT NULL"
    )
    await house.runner.carry_out("early")
    assert await paid(house, SCENE) == []
    clock.advance(HOLD)
    await house.work()
    assert len(await paid(house, SCENE)) == 1


async def test_the_gateway_itself_refuses_a_grant_that_is_not_usable_yet(
    house: House, review: Review
) -> None:
    await house.vote(review, LEE)
    case = await house.case(review.case_id)
    async with at_its_desk(house, case) as desk:
        execution = await desk.execute(wish(case), dict(review.shown["facts"]))
    assert (execution.end, execution.reason) == (End.BLOCKED, "grant_not_usable_yet")
    assert await house.effects(case.id) == []


async def test_a_hold_that_was_taken_out_of_the_row_still_holds(house: House, review: Review) -> None:
    await house.rows("UPDATE reviews SET hold_seconds = 0 WHERE id = %s", review.id)
    case = await house.decided(review, LEE)
    assert await paid(house, SCENE) == []
    assert (case.status, case.reason) == (Status.BLOCKED, "grant_not_usable_yet")


async def test_a_decision_by_a_clock_that_is_ahead_is_not_taken_for_one_that_is_held(
    house: House, clock: ManualClock
) -> None:
    review = await waiting(house, SCENE)
    clock.advance(INSTANT)
    await house.vote(review, LEE)
    clock.advance(-INSTANT)
    await house.work()
    assert (await house.case(review.case_id)).status is Status.CLOSED
    assert len(await paid(house, SCENE)) == 1


async def test_whoever_signed_takes_it_back_and_it_is_open_again(
    house: House, review: Review, clock: ManualClock
) -> None:
    await house.vote(review, LEE)
    again = await withdraw(house, review, LEE)

    assert (again.status, again.held_until, again.roles) == (ReviewStatus.OPEN, None, ["support_lead"])
    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    (event,) = await told(house, review.case_id, "vote.withdrawn")
    assert (event["by"], event["voted_by"]) == (LEE.actor, LEE.actor)
    (vote,) = await house.rows("SELECT kind, w.by FROM votes v JOIN withdrawals w ON w.vote_id = v.id")
    assert vote == {"kind": "approve", "by": LEE.actor}
    clock.advance(2 * HOLD)
    await house.work()
    assert await paid(house, SCENE) == []
    assert await commands(house) == []


async def test_what_was_taken_back_can_be_decided_again_by_the_same_or_another(
    house: House, review: Review, clock: ManualClock
) -> None:
    for who in (LEE, LEE, MAX):
        await house.vote(review, who)
        await withdraw(house, review, who)
    await house.vote(review, LEE)
    clock.advance(HOLD)
    await house.work()
    assert (await house.case(review.case_id)).status is Status.CLOSED
    assert len(await paid(house, SCENE)) == 1
    grants = await house.rows("SELECT used_at, revoked_at FROM grants WHERE review_id = %s", review.id)
    assert sorted((row["used_at"] is None, row["revoked_at"] is None) for row in grants) == [
        (False, True),
        (True, False),
        (True, False),
        (True, False),
    ]


async def test_a_decision_that_was_taken_back_can_become_a_rejection(house: House, review: Review) -> None:
    await house.vote(review, LEE)
    await withdraw(house, review, LEE)
    case = await house.decided(review, LEE, VoteKind.REJECT)
    assert (case.status, await paid(house, SCENE)) == (Status.REJECTED, [])


async def test_a_lead_who_manages_takes_back_what_others_signed(house: House, review: Review) -> None:
    await house.vote(review, LEE)
    await withdraw(house, review, TESS)
    (event,) = await told(house, review.case_id, "vote.withdrawn")
    assert (event["by"], event["voted_by"]) == (TESS.actor, LEE.actor)


@pytest.mark.parametrize("who", [MAX, FINN, NORA], ids=lambda who: who.id)
async def test_nobody_else_takes_it_back(house: House, review: Review, who: Principal) -> None:
    await house.vote(review, LEE)
    with pytest.raises(NotEligible):
        await withdraw(house, review, who)
    assert await denials(house, review.case_id) == [(who.actor, "NotEligible")]
    assert (await house.rows("SELECT revoked_at FROM grants WHERE review_id = %s", review.id)) == [
        {"revoked_at": None}
    ]


async def test_after_the_hold_nothing_is_taken_back(house: House, review: Review, clock: ManualClock) -> None:
    await house.vote(review, LEE)
    clock.advance(HOLD)
    with pytest.raises(NothingToWithdraw):
        await withdraw(house, review, LEE)
    await house.work()
    assert len(await paid(house, SCENE)) == 1


async def test_what_is_not_held_is_not_taken_back(house: House) -> None:
    review = await waiting(house, SCENE)
    with pytest.raises(NotEligible):
        await withdraw(house, review, LEE)
    await house.vote(review, LEE)
    with pytest.raises(NothingToWithdraw):
        await withdraw(house, review, LEE)
    await house.work()
    assert len(await paid(house, SCENE)) == 1


async def test_of_two_signatures_the_other_one_stands(house: House, settings: Settings) -> None:
    now_working(settings, *EVERYBODY)
    two = HELD.replace("by: [support_lead]", "by: [{role: support_lead, people: 2}]")
    await ask_instead(house, two)
    review = await waiting(house, SCENE)
    await house.vote(review, LEE)
    await house.vote(review, MAX)
    await withdraw(house, review, LEE)
    decided = await house.vote(review, MEG)
    assert decided.status is ReviewStatus.APPROVED


async def test_a_signature_that_was_taken_back_counts_for_no_daily_limit(
    house: House, review: Review
) -> None:
    async def signed() -> int:
        async with house.parts.database.transaction() as tx:
            since = house.parts.clock() - timedelta(days=1)
            return len(await approved_by(tx.driver, "lee", tool="payments.refund", since=since))

    await house.vote(review, LEE)
    assert await signed() == 1
    await withdraw(house, review, LEE)
    assert await signed() == 0


@pytest.mark.parametrize("first", ["withdrawal", "deed"])
async def test_a_withdrawal_and_a_deed_at_once_are_one_of_the_two(
    house: House, review: Review, clock: ManualClock, first: str
) -> None:
    """The clocks of two processes differ: the one sees the hold over, the other does not."""
    await house.vote(review, LEE)
    case = await house.case(review.case_id)
    ahead = House(replace(house.parts, clock=ManualClock(clock.now + HOLD)))
    async with at_its_desk(ahead, case) as desk:
        deed = desk.execute(wish(case), dict(review.shown["facts"]))
        if first == "deed":
            execution = await deed
            assert execution.end is End.DONE, execution
            with pytest.raises(NothingToWithdraw):
                await withdraw(house, review, LEE)
        else:
            await withdraw(house, review, LEE)
            execution = await deed
            assert (execution.end, execution.reason) == (End.BLOCKED, "review_open")
    assert len(await paid(house, SCENE)) == (1 if first == "deed" else 0)


async def test_however_they_race_a_withdrawn_decision_does_nothing(
    house: House, review: Review, clock: ManualClock
) -> None:
    await house.vote(review, LEE)
    case = await house.case(review.case_id)
    ahead = House(replace(house.parts, clock=ManualClock(clock.now + HOLD)))
    async with at_its_desk(ahead, case) as desk:
        taken, execution = await asyncio.gather(
            withdraw(house, review, LEE),
            desk.execute(wish(case), dict(review.shown["facts"])),
            return_exceptions=True,
        )
    assert not isinstance(execution, BaseException), execution
    withdrawn = not isinstance(taken, BaseException)
    assert withdrawn or isinstance(taken, NothingToWithdraw)
    assert len(await paid(house, SCENE)) == (0 if withdrawn else 1)
    assert (execution.end is End.DONE) is not withdrawn


async def test_a_withdrawal_and_a_deed_lock_in_the_same_order(house: House, review: Review) -> None:
    await house.vote(review, LEE)
    async with house.parts.database.transaction() as deed:
        await deed.driver.execute("SELECT FROM cases WHERE id = %s FOR SHARE", (review.case_id,))
        taking = asyncio.create_task(withdraw(house, review, LEE))

        async def waits() -> bool:
            return await house.rows(_WAITING) != []

        await until(waits, "the withdrawal waits for the case")
        await deed.driver.execute("SELECT FROM grants WHERE review_id = %s FOR UPDATE NOWAIT", (review.id,))
    assert (await taking).status is ReviewStatus.OPEN


_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_after_downtime_the_reconciler_neither_loses_the_wake_up_nor_wakes_early(
    house: House, review: Review, clock: ManualClock
) -> None:
    parts = house.parts
    reaper = Reaper(
        database=parts.database, queue=parts.queue, clock=parts.clock, dead_after=timedelta(seconds=30)
    )
    await house.vote(review, LEE)
    clock.advance(HOLD - INSTANT)
    assert await reaper.reconcile() == 0  # it has its job, for later
    await house.rows("DELETE FROM procrastinate_jobs")
    assert await reaper.reconcile() == 1
    (job,) = await house.rows("SELECT scheduled_at FROM procrastinate_jobs")
    assert job["scheduled_at"] == clock.now + INSTANT
    clock.advance(10 * ORPHANED_AFTER)
    assert await reaper.reconcile() == 0
    await house.work()
    assert (await house.case(review.case_id)).status is Status.CLOSED
    (effect, _) = await house.effects(review.case_id)
    assert effect.state is EffectState.DONE


async def test_a_revoked_grant_is_never_used(house: House, review: Review, clock: ManualClock) -> None:
    await house.vote(review, LEE)
    case = await house.case(review.case_id)
    clock.advance(HOLD)
    async with at_its_desk(house, case) as desk:
        judgement = await desk.context.judge.judge(desk.context.case, wish(case))
        grant = await desk.context.gateway.ledger.grant_for(case.id, review.id)
        assert grant is not None
        await house.rows("UPDATE grants SET revoked_at = now() WHERE id = %s", grant.id)
        execution = await desk.context.gateway._begin(judgement, grant, desk._tell)
    assert isinstance(execution, Execution)
    assert (execution.end, execution.reason) == (End.BLOCKED, "grant_unusable")
