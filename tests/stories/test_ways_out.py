"""Nothing is ever stuck: what cannot go on has a reason, an owner, and ways out that people take once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from langgraph.types import Command

from checkpoints.cases import EXCEPTIONAL, Case, Status
from checkpoints.effects import EffectState
from checkpoints.errors import ExceptionClosed, ExceptionNotFound, StaleHead
from checkpoints.exceptions import Way
from graphs.standstills import CannotRetry, CaseMovedOn
from graphs.ways_out import DeedInDoubt, NotAnOwner, NotYoursToResolve, Outcome, WaysOut
from nodes.agent import AgentUncertain, Playbooks
from tests.bites.forger import forge, forging
from tests.house import LEE, House, ManualClock
from tests.nodes.desk import paid
from tests.stories.standing_still import (
    FRED,
    NOT_THEIRS,
    OPS,
    TESS,
    altered,
    be_away,
    behaving,
    listed,
    refuse,
    resolution,
    retried,
    standstill,
)
from tools.contract import Call, OutcomeUnknown, Record, Tool

SMALL, LARGE, FRAUD = "clean_29_90_1", "clean_120_00_1", "fraud_customer"


class Broken(Exception):
    """A mistake in a connector."""


async def lose_the_answer(tool: Tool, arguments: Any, call: Call) -> Record:
    await tool.perform(arguments, call)
    raise OutcomeUnknown("the line is dead")


async def break_after_it(tool: Tool, arguments: Any, call: Call) -> Record:
    await tool.perform(arguments, call)
    raise Broken


def unsure(house: House) -> House:
    """A house whose triage agent is not there."""
    brain = house.parts.brain
    assert isinstance(brain, Playbooks)

    def away(*_: Any) -> Any:
        raise AgentUncertain("model_unavailable", "nobody answers")

    return House(replace(house.parts, brain=Playbooks({**brain.of, "triage": away})))


async def away(house: House, scene: str) -> Case:
    """A case whose fraud desk went away as soon as it had been let in."""
    case = await house.send(scene)
    await behaving(house, fraud_signals=be_away).work()
    return await house.case(case.id)


def without_find(house: House) -> House:
    """A house whose payment system can be neither asked what became of a refund nor called twice."""
    return altered(house, "payments.refund", find=None, idempotent=False)


# --- every exception is a row -----------------------------------------------------------------------------


async def test_a_case_that_cannot_go_on_has_a_reason_an_owner_and_the_step(house: House) -> None:
    cases = [
        (await away(house, "clean_29_90_2"), "retrieve"),
        (await unsure(house).after("clean_29_90_3"), "triage"),
        (await behaving(house, payments_refund=refuse).after(SMALL), "refund"),
        (await house.after(FRAUD), "judge"),
        (await behaving(house, payments_refund=break_after_it).after("clean_29_90_4"), None),
    ]

    assert {case.status for case, _ in cases} == set(EXCEPTIONAL)
    for case, step in cases:
        found = await standstill(house, case.id)
        assert (found.status, found.reason, found.owner) == (case.status, case.reason, case.owner)
        assert (found.step, found.retryable, found.opened_at) == (step, True, case.updated_at)


async def test_an_exception_cannot_be_had_without_its_row(house: House) -> None:
    case = await house.after(SMALL)
    await house.rows("UPDATE cases SET status = 'blocked', reason = 'other', owner = NULL")
    assert (await standstill(house, case.id)).owner == "operations"

    await house.rows("UPDATE cases SET status = 'failed', reason = 'more', owner = 'finance'")
    found = await standstill(house, case.id)
    assert (found.status, found.reason, found.owner, found.number) == ("failed", "more", "finance", 1)

    await house.rows("UPDATE cases SET status = 'closed', reason = NULL, owner = NULL")
    assert await listed(house) == []
    ends = await house.rows("SELECT way, closed_by FROM exceptions")
    assert ends == 2 * [{"way": "moved_on", "closed_by": "system:case"}]


# --- retry ------------------------------------------------------------------------------------------------


async def test_a_retry_goes_on_from_the_step_that_could_not(house: House) -> None:
    case = await away(house, SMALL)
    assert (case.status, case.reason) == (Status.BLOCKED, "source_tool_unavailable")

    found = await retried(house, case.id)

    assert (found.way, found.closed_by) == (Way.RETRY, "person:tess")
    assert (await house.case(case.id)).status is Status.CLOSED
    assert await paid(house, SMALL) == [2990]
    kinds = await house.kinds(case.id)
    assert kinds.index("case.blocked") < kinds.index("exception.retried") < kinds.index("case.resumed")


async def test_a_retry_that_fails_again_is_an_exception_again(house: House) -> None:
    case = await away(house, SMALL)
    first = await standstill(house, case.id)
    for _ in range(2):
        await retried(behaving(house, fraud_signals=be_away), case.id)

    found = await standstill(house, case.id)
    assert (found.number, found.status, found.step) == (2, Status.BLOCKED, "retrieve")
    assert found.id != first.id
    await retried(house, case.id)
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_a_retry_asks_only_the_agent_that_was_unsure(house: House) -> None:
    case = await unsure(house).after(SMALL)
    assert (case.status, case.reason) == (Status.UNCERTAIN, "model_unavailable")

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (await house.kinds(case.id)).count("context.retrieved") == 1


async def test_a_retry_never_repeats_a_deed_that_was_done(house: House) -> None:
    case = await without_find(behaving(house, payments_refund=lose_the_answer)).after(SMALL)
    assert case.status is Status.UNCERTAIN

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert await paid(house, SMALL) == [2990]


async def test_a_deed_that_nobody_can_look_up_stays_in_doubt_however_often_it_is_retried(
    house: House,
) -> None:
    blind = without_find(behaving(house, payments_refund=lose_the_answer))
    case = await blind.after(SMALL)
    for _ in range(3):
        await retried(blind, case.id)

    assert (await house.case(case.id)).status is Status.UNCERTAIN
    assert await paid(house, SMALL) == [2990]


async def test_a_deed_that_was_refused_is_tried_as_a_new_one_and_judged_anew(house: House) -> None:
    case = await behaving(house, payments_refund=refuse).after(SMALL)
    assert (case.status, case.reason) == (Status.FAILED, "tool_refused")

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    deeds = [(deed.key.rpartition(":")[2], deed.state) for deed in await house.effects(case.id)]
    assert deeds[:2] == [("1", EffectState.FAILED), ("2", EffectState.DONE)]


async def test_a_deed_that_was_signed_and_refused_is_signed_anew(house: House) -> None:
    refusing = behaving(house, payments_refund=refuse)
    case = await refusing.after(LARGE)
    case = await refusing.decided(await house.review(case.id), LEE)
    assert case.status is Status.FAILED

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.WAITING_REVIEW
    assert await paid(house, LARGE) == []
    assert (await house.decided(await house.review(case.id), LEE)).status is Status.CLOSED
    assert await paid(house, LARGE) == [12000]


async def test_what_broke_goes_on_where_it_broke(house: House) -> None:
    case = await behaving(house, payments_refund=break_after_it).after(SMALL)
    assert (case.status, case.owner) == (Status.FAILED, "operations")

    await retried(house, case.id, OPS)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert await paid(house, SMALL) == [2990]


async def test_a_step_that_cannot_be_tried_again_says_so(house: House) -> None:
    case = await house.after(FRAUD)
    await house.rows("UPDATE exceptions SET retryable = false")
    found = await standstill(house, case.id)

    with pytest.raises(CannotRetry):
        await WaysOut(house.parts).retry(found.id, FRED)

    assert Way.RETRY not in WaysOut(house.parts).ways(found, "refund", FRED, doubtful=False)
    assert (await house.case(case.id)).status is Status.ESCALATED


async def test_waking_a_thread_at_a_standstill_changes_nothing(house: House) -> None:
    case = await away(house, SMALL)
    wakes: list[Any] = [None, Command(resume={"way": "retry"}), Command(resume=True)]
    for given in wakes:
        await forge(house, case, given)

    assert (await house.case(case.id)).status is Status.BLOCKED
    assert len(await listed(house)) == 1
    await retried(house, case.id)
    assert (await house.case(case.id)).status is Status.CLOSED


# --- resolve ----------------------------------------------------------------------------------------------


async def test_a_case_is_resolved_by_hand_once_with_a_reason(house: House) -> None:
    case = await house.after(FRAUD)
    found = await standstill(house, case.id)

    closed = await WaysOut(house.parts).resolve(found.id, resolution(Outcome.DECLINED), FRED)

    assert (closed.way, closed.closed_by) == (Way.RESOLVE, "person:fred")
    case = await house.case(case.id)
    assert (case.status, case.reason, case.owner) == (Status.CLOSED, "resolved_by_hand", None)
    (told,) = [one for one in await house.events(case.id) if one["kind"] == "exception.resolved"]
    assert (told["actor"], told["data"]["outcome"]) == ("person:fred", "declined")
    assert told["data"]["why"].startswith("sealed:")
    assert await house.rows("SELECT 1 FROM audit_events WHERE data::text LIKE '%%by phone%%'") == []
    with pytest.raises(ExceptionClosed, match="person:fred"):
        await WaysOut(house.parts).retry(found.id, FRED)


@pytest.mark.parametrize(("done", "state"), [(True, EffectState.DONE), (False, EffectState.FAILED)])
async def test_of_a_deed_in_doubt_a_person_says_whether_it_was_done(
    house: House, *, done: bool, state: EffectState
) -> None:
    case = await without_find(behaving(house, payments_refund=lose_the_answer)).after(SMALL)
    found = await standstill(house, case.id)
    (deed,) = await house.effects(case.id)
    for wrong in (resolution(), resolution(deeds={deed.key: done, "another": done})):
        with pytest.raises(DeedInDoubt, match=deed.key):
            await WaysOut(house.parts).resolve(found.id, wrong, TESS)

    how = replace(resolution(deeds={deed.key: done}), reference="R-77")
    await WaysOut(house.parts).resolve(found.id, how, TESS)

    (deed,) = await house.effects(case.id)
    assert deed.state is state
    (told,) = [one for one in await house.events(case.id) if one["kind"] == f"effect.{state}"]
    assert (told["actor"], told["data"]["how"]) == ("person:tess", "by_hand")
    if done:
        assert deed.receipt is not None
        assert deed.receipt["said_by"] == "person:tess"
        assert deed.receipt["reference"].startswith("sealed:")
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_nothing_can_be_said_of_a_deed_that_is_not_in_doubt(house: House) -> None:
    case = await house.after(FRAUD)
    found = await standstill(house, case.id)

    with pytest.raises(DeedInDoubt, match="nothing to say"):
        await WaysOut(house.parts).resolve(found.id, resolution(deeds={"x": True}), FRED)


# --- cancel -----------------------------------------------------------------------------------------------


async def test_a_cancelled_case_runs_no_more_whatever_wakes_it(house: House) -> None:
    case = await house.after(FRAUD)
    found = await standstill(house, case.id)

    await WaysOut(house.parts).cancel(found.id, "Sent twice.", FRED)

    assert (await house.case(case.id)).status is Status.CANCELLED
    assert await listed(house) == []
    wakes: list[Any] = [None, Command(resume=True), Command(goto="refund")]
    for given in wakes:
        await forge(house, case, given)
    async with forging(house, case) as thread:
        with pytest.raises(StaleHead):
            await thread.write({"outcome": "allow"}, "judge")
    assert (await house.case(case.id)).status is Status.CANCELLED
    assert await paid(house, FRAUD) == []


async def test_a_case_with_a_deed_in_doubt_is_not_cancelled(house: House) -> None:
    case = await without_find(behaving(house, payments_refund=lose_the_answer)).after(SMALL)
    found = await standstill(house, case.id)

    assert Way.CANCEL not in WaysOut(house.parts).ways(found, "refund", TESS, doubtful=True)
    with pytest.raises(DeedInDoubt):
        await WaysOut(house.parts).cancel(found.id, "Never mind.", TESS)
    assert (await house.case(case.id)).status is Status.UNCERTAIN


async def test_cancelling_a_case_that_waits_withdraws_its_review(house: House) -> None:
    case = await house.after(LARGE)
    review = await house.review(case.id)

    case = await WaysOut(house.parts).cancel_case(case.id, "Sent twice.", TESS)

    assert (case.status, case.reason) == (Status.CANCELLED, "cancelled")
    assert await house.open_reviews() == []
    (told,) = [one for one in await house.events(case.id) if one["kind"] == "case.cancelled"]
    assert (told["actor"], told["data"]["was"]) == ("person:tess", "waiting_review")
    with pytest.raises(CaseMovedOn):
        await WaysOut(house.parts).cancel_case(case.id, "Once more.", TESS)
    await house.work()
    assert review.status == "open"  # as it was read; now it is withdrawn
    assert await paid(house, LARGE) == []


async def test_a_signature_that_was_not_used_yet_is_no_good_after_a_cancel(house: House) -> None:
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE)
    await WaysOut(house.parts).cancel_case(case.id, "Sent twice.", TESS)
    assert await house.rows("SELECT id FROM commands WHERE done_at IS NULL") == []

    await house.work()

    assert (await house.case(case.id)).status is Status.CANCELLED
    assert await paid(house, LARGE) == []
    (grant,) = await house.rows("SELECT used_at FROM grants")
    assert grant["used_at"] is None


async def test_a_cancel_between_the_last_look_and_the_deed_stops_the_deed(house: House) -> None:
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE)
    cancelled: list[Case] = []

    async def cancel_meanwhile(tool: Tool, arguments: Any, call: Call) -> Record:
        if not cancelled:
            cancelled.append(await WaysOut(house.parts).cancel_case(case.id, "Sent twice.", TESS))
        return await tool.perform(arguments, call)

    with pytest.raises(StaleHead):
        await behaving(house, payments_list=cancel_meanwhile).work()

    assert len(cancelled) == 1
    await house.work()
    assert (await house.case(case.id)).status is Status.CANCELLED
    assert (await paid(house, LARGE), await house.effects(case.id)) == ([], [])


@pytest.mark.parametrize("turn", range(4))
async def test_of_a_cancel_and_a_deed_at_once_exactly_one_happens(house: House, turn: int) -> None:
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE)

    async def cancel() -> bool:
        for _ in range(turn * 8):
            await asyncio.sleep(0)
        try:
            await WaysOut(house.parts).cancel_case(case.id, "Sent twice.", TESS)
        except (CaseMovedOn, DeedInDoubt):
            return False
        return True

    was_cancelled, _ = await asyncio.gather(cancel(), house.work(), return_exceptions=True)
    await house.work()

    assert (await house.case(case.id)).status is (Status.CANCELLED if was_cancelled else Status.CLOSED)
    assert await paid(house, LARGE) == ([] if was_cancelled else [12000])


async def test_only_what_waits_for_people_is_cancelled(house: House) -> None:
    closed, received = await house.after(SMALL), await house.send("clean_29_90_2")
    stuck = await house.send(FRAUD)
    for case in (closed, received):
        with pytest.raises(CaseMovedOn):
            await WaysOut(house.parts).cancel_case(case.id, "Never mind.", LEE)
    await house.work()
    with pytest.raises(CaseMovedOn, match=(await standstill(house, stuck.id)).id):
        await WaysOut(house.parts).cancel_case(stuck.id, "Never mind.", TESS)


# --- hand over --------------------------------------------------------------------------------------------


async def test_an_exception_handed_over_is_the_others(house: House, clock: ManualClock) -> None:
    case = await house.after(FRAUD)
    found = await standstill(house, case.id)

    handed = await WaysOut(house.parts).hand_over(found.id, "finance", "Theirs.", FRED)

    assert (handed.id, handed.owner, handed.opened_at) == (found.id, "finance", found.opened_at)
    assert (await house.case(case.id)).owner == "finance"
    assert not WaysOut(house.parts).may("refund", handed.owner, FRED)
    (told,) = [one for one in await house.events(case.id) if one["kind"] == "exception.handed_over"]
    assert (told["data"]["from"], told["data"]["to"]) == ("fraud_team", "finance")
    with pytest.raises(NotAnOwner, match="fraud_team"):
        await WaysOut(house.parts).hand_over(found.id, "marketing", "Theirs.", TESS)


# --- by whom ----------------------------------------------------------------------------------------------


async def test_nobody_else_finds_a_way_out_and_each_attempt_is_on_the_record(house: House) -> None:
    case, waits = await house.after(FRAUD), await house.after(LARGE)
    found, out = await standstill(house, case.id), WaysOut(house.parts)
    for who in NOT_THEIRS:
        for attempt in (
            out.retry(found.id, who),
            out.resolve(found.id, resolution(), who),
            out.cancel(found.id, "Why.", who),
            out.hand_over(found.id, "finance", "Why.", who),
            out.cancel_case(waits.id, "Why.", who),
        ):
            with pytest.raises(NotYoursToResolve):
                await attempt
        assert out.ways(found, "refund", who, doubtful=False) == []

    assert (await house.kinds(case.id)).count("exception.denied") == 4 * len(NOT_THEIRS)
    assert await standstill(house, case.id) == found


async def test_of_many_ways_out_at_once_one_is_taken(house: House) -> None:
    case = await house.after(FRAUD)
    found, out = await standstill(house, case.id), WaysOut(house.parts)

    ends = await asyncio.gather(
        *(out.retry(found.id, TESS) for _ in range(4)),
        *(out.resolve(found.id, resolution(), TESS) for _ in range(4)),
        *(out.cancel(found.id, "Sent twice.", TESS) for _ in range(4)),
        return_exceptions=True,
    )

    assert sum(isinstance(end, ExceptionClosed) for end in ends) == 11
    taken = [kind for kind in await house.kinds(case.id) if kind.startswith(("exception.", "case.can"))]
    assert len(taken) == 1


async def test_an_exception_that_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(ExceptionNotFound):
        await WaysOut(house.parts).retry("nothing", TESS)


async def test_a_vote_on_a_stopped_case_sets_it_going_and_closes_its_exception(house: House) -> None:
    case = await house.after(LARGE)
    await house.rows("UPDATE cases SET status = 'failed', reason = 'unexpected_error', owner = 'operations'")
    found = await standstill(house, case.id)

    case = await house.decided(await house.review(case.id), LEE)

    assert (case.status, await listed(house)) == (Status.CLOSED, [])
    with pytest.raises(ExceptionClosed, match="moved_on"):
        await WaysOut(house.parts).retry(found.id, TESS)
