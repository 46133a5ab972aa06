"""What time does to a review: it reminds, hands up and expires, each once; it never approves."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.worker import run_worker
from checkpoints.cases import Case, Status
from checkpoints.reviews import Review, ReviewStatus
from checkpoints.votes import VoteKind
from checkpoints.worker import Pace
from graphs.acts import INFO_LIFE, Acts
from graphs.closing import ReviewExpired
from graphs.deadlines import LOOK_AGAIN, Deadlines
from graphs.roles import read_text
from graphs.rule_changes import RuleChanges
from tests.engine.processes import until
from tests.graphs.test_rule_changes import KAI, KIT
from tests.house import FINN, LEE, House, ManualClock
from tests.kills import killed_at
from tools.sandbox.cast import CAST

LEADS, FINANCES = "clean_120_00_1", "clean_640_00_1"
"""Due in 8 hours, with finance above; due in 24 hours, with nobody above."""
TOLD = ("review.reminded", "review.escalated", "review.info_overdue", "review.expired")
FRIDAY_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
async def after_all(house: House) -> AsyncIterator[None]:
    """When a test is over, time alone has approved and paid nothing."""
    yield
    approved = await house.rows("SELECT id FROM reviews WHERE status = 'approved'")
    effects = await house.rows("SELECT key FROM effects")
    assert (approved, effects) == ([], [])


pytestmark = pytest.mark.usefixtures("after_all")


async def waiting(house: House, scene: str = LEADS) -> Review:
    return await house.review((await house.after(scene)).id)


async def again(house: House, review: Review) -> Review:
    """The review as it is now, which must be open."""
    return await house.review(review.case_id)


async def ended(house: House, review: Review) -> tuple[str, Case]:
    """How the review ended, and the case after what follows from it."""
    await house.work()
    (row,) = await house.rows("SELECT status FROM reviews WHERE id = %s", review.id)
    return row["status"], await house.case(review.case_id)


async def run(house: House) -> int:
    return await Deadlines(house.parts).run()


async def told(house: House, review: Review) -> list[dict[str, Any]]:
    """What time did, in the order in which it is on the record."""
    events = await house.events(review.case_id)
    return [event for event in events if event["kind"] in TOLD and event["actor"] == "system:deadlines"]


async def kinds(house: House, review: Review) -> list[str]:
    return [event["kind"].removeprefix("review.") for event in await told(house, review)]


async def with_business_hours(house: House) -> None:
    """From now on a lead has 8 business hours."""
    text = read_text("graphs.refund", "rules.yaml").replace('"2026-11-27"', '"working"')
    changes = RuleChanges(house.parts)
    draft = await changes.draft("refund", text.replace("due: 8h", "due: 8bh"), "For the test.", KIT)
    await changes.decide(draft.digest, KAI, approve=True, comment=None)


# --- reminders --------------------------------------------------------------------------------------------


async def test_nothing_is_done_before_its_time(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    clock.advance(timedelta(hours=4) - timedelta(seconds=1))

    assert await run(house) == 0
    assert await again(house, review) == review


async def test_those_who_are_asked_are_reminded_half_way_and_again(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    for hours in (4, 2, 1, 0.5, 0.25):
        clock.advance(timedelta(hours=hours))
        await run(house)
        assert await run(house) == 0, "each thing is done once"

    reminders = await told(house, review)
    assert [event["at"] - review.opened_at for event in reminders] == [
        timedelta(hours=hours) for hours in (4, 6, 7, 7.5)
    ]
    assert all("to" not in event["data"] for event in reminders), "all who may are reminded"
    assert (await again(house, review)).due_at == review.due_at


async def test_whoever_has_it_in_hand_is_reminded(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    clock.advance(timedelta(hours=3, minutes=45))
    await Acts(house.parts).claim(review.id, LEE)
    clock.advance(timedelta(minutes=15))
    await run(house)
    clock.advance(timedelta(hours=2))
    await run(house)

    first, second = await told(house, review)
    assert first["data"]["to"] == LEE.actor
    assert "to" not in second["data"], "what somebody took in hand and left is everybody's again"


# --- overdue, expired -------------------------------------------------------------------------------------


async def test_what_is_overdue_goes_to_those_above_with_a_new_due_time(
    house: House, clock: ManualClock
) -> None:
    review = await waiting(house)
    await Acts(house.parts).claim(review.id, LEE)
    clock.advance(timedelta(hours=8))

    assert await run(house) == 1

    after = await again(house, review)
    assert (after.roles, after.claimed_by) == (["finance"], None)
    assert [(rung["role"], rung["asked"], rung["above"]) for rung in after.ladder] == [
        ("finance", "support_lead", [])
    ]
    assert after.due_at == clock.now + timedelta(hours=8)
    assert after.remind_at == clock.now + timedelta(hours=4)
    (event,) = await told(house, review)
    assert (event["kind"], event["data"]["to_role"]) == ("review.escalated", "finance")


async def test_what_is_overdue_with_nobody_above_is_rejected(house: House, clock: ManualClock) -> None:
    review = await waiting(house, FINANCES)
    clock.advance(timedelta(hours=24))
    await run(house)

    status, case = await ended(house, review)
    assert (status, case.status, case.reason) == (
        ReviewStatus.EXPIRED,
        Status.REJECTED,
        "review_expired",
    )
    with pytest.raises(Exception, match="already expired by the system"):
        await house.vote(review, FINN)


async def test_who_hands_up_twice_ends_where_nobody_is_above(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    clock.advance(timedelta(hours=8))
    await run(house)
    clock.advance(timedelta(hours=8))
    await run(house)

    status, case = await ended(house, review)
    assert (status, case.status) == (ReviewStatus.EXPIRED, Status.REJECTED)
    assert await kinds(house, review) == ["escalated", "expired"]
    assert await house.refunds(CAST[LEADS].order_id) == []


async def test_one_signature_of_two_does_not_count_once_time_is_up(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    two = [{"role": role, "people": 1, "stage": at} for at, role in enumerate(("support_lead", "finance"))]
    await house.rows("UPDATE reviews SET ladder = %s WHERE id = %s", json.dumps(two), review.id)
    await house.vote(review, LEE)
    clock.advance(timedelta(hours=8))
    await run(house)

    status, case = await ended(house, review)
    assert (status, case.status) == (ReviewStatus.EXPIRED, Status.REJECTED)


# --- parked -----------------------------------------------------------------------------------------------


async def parked(house: House, review: Review) -> Review:
    return await Acts(house.parts).ask_back(review.id, review.digest, "Which of the two?", LEE)


async def test_the_clock_of_a_parked_review_stands_still(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    clock.advance(timedelta(hours=1))
    await parked(house, review)
    clock.advance(timedelta(hours=50))

    assert await run(house) == 0
    after = await Acts(house.parts).answer(review.id, "The second.", FINN)
    assert after.due_at - clock.now == timedelta(hours=7)
    assert after.remind_at is not None
    assert after.remind_at - clock.now == timedelta(hours=3)


async def test_a_question_that_nobody_answers_comes_back_to_who_asked(
    house: House, clock: ManualClock
) -> None:
    review = await waiting(house)
    clock.advance(timedelta(hours=1))
    await parked(house, review)
    assert (await house.case(review.case_id)).status is Status.WAITING_INFO
    clock.advance(INFO_LIFE)

    assert await run(house) == 1

    after = await again(house, review)
    assert (after.paused_at, after.claimer(clock.now)) == (None, LEE.actor)
    assert after.due_at - clock.now == timedelta(hours=7)
    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    (event,) = await told(house, review)
    assert (event["kind"], event["data"]["to"]) == ("review.info_overdue", LEE.actor)


async def test_a_parked_review_expires_like_any_other(house: House, clock: ManualClock) -> None:
    review = await waiting(house)
    clock.advance(timedelta(hours=1))
    await parked(house, review)
    clock.advance(timedelta(days=7))
    await run(house)

    status, case = await ended(house, review)
    assert (status, case.status, case.reason) == (ReviewStatus.EXPIRED, Status.REJECTED, "review_expired")
    assert await kinds(house, review) == ["expired"]


# --- nobody was there for long ----------------------------------------------------------------------------


async def test_after_days_without_a_worker_each_step_is_taken_once_and_in_order(
    house: House, clock: ManualClock
) -> None:
    review = await waiting(house)
    clock.advance(timedelta(days=3))

    assert await run(house) == 1
    assert await kinds(house, review) == ["escalated"], "no reminder of what is past"
    assert (await again(house, review)).due_at == clock.now + timedelta(hours=8), "finance has its time"
    clock.advance(timedelta(days=3))
    assert await run(house) == 1
    assert await kinds(house, review) == ["escalated", "expired"]
    assert (await ended(house, review))[1].status is Status.REJECTED


async def test_after_weeks_without_a_worker_everything_has_expired_and_nothing_is_approved(
    house: House, clock: ManualClock
) -> None:
    reviews = [await waiting(house, scene) for scene in (LEADS, FINANCES, "clean_180_00")]
    await parked(house, reviews[2])
    clock.advance(timedelta(weeks=5))
    with pytest.raises(ReviewExpired):
        await house.vote(reviews[0], LEE)

    assert await run(house) == len(reviews)
    assert await run(house) == 0
    for review in reviews:
        status, case = await ended(house, review)
        assert (status, case.status) == (ReviewStatus.EXPIRED, Status.REJECTED)
        assert await kinds(house, review) == ["expired"]


# --- at once, and killed ----------------------------------------------------------------------------------


async def test_workers_at_the_same_moment_do_each_thing_once(house: House, clock: ManualClock) -> None:
    reviews = [await waiting(house, f"clean_120_00_{n}") for n in (1, 2, 3)]
    clock.advance(timedelta(hours=4))
    reminded = await asyncio.gather(*(run(house) for _ in range(4)))
    clock.advance(timedelta(hours=4))
    handed_up = await asyncio.gather(*(run(house) for _ in range(4)))

    assert (sum(reminded), sum(handed_up)) == (3, 3)
    for review in reviews:
        assert await kinds(house, review) == ["reminded", "escalated"]


async def test_reviews_about_whose_time_nothing_can_be_done_hold_up_no_other(
    house: House, clock: ManualClock
) -> None:
    orphans = [await waiting(house, scene) for scene in (LEADS, "clean_120_00_2")]
    await house.rows("UPDATE reviews SET workflow = 'gone', due_working = true, remind_at = opened_at")
    review = await waiting(house, "clean_120_00_3")
    deadlines = Deadlines(house.parts)
    clock.advance(timedelta(hours=9))

    assert await deadlines.run(most=1) == 1
    assert await kinds(house, review) == ["escalated"]
    assert await deadlines.run() == 0
    await house.rows("UPDATE reviews SET workflow = 'refund'")
    assert await deadlines.run() == 0, "they are let alone for a while"
    clock.advance(LOOK_AGAIN)
    assert await deadlines.run() == len(orphans)


async def test_a_vote_and_the_deadline_at_the_same_moment_leave_one_decision(
    house: House, clock: ManualClock
) -> None:
    review = await waiting(house, FINANCES)
    clock.advance(timedelta(hours=24))
    vote, _ = await asyncio.gather(
        house.vote(review, FINN, VoteKind.REJECT), run(house), return_exceptions=True
    )

    status, case = await ended(house, review)
    assert status == (ReviewStatus.REJECTED if isinstance(vote, Review) else ReviewStatus.EXPIRED)
    assert (case.status, case.reason) == (Status.REJECTED, f"review_{status}")


async def test_what_is_killed_in_the_middle_is_done_later_and_once(house: House, clock: ManualClock) -> None:
    review = await waiting(house, FINANCES)
    clock.advance(timedelta(hours=24))
    suspension = 0
    while await killed_at(suspension, run(house)):
        suspension += 1
        open_still = await house.open_reviews(review.case_id)
        assert len(open_still) + len(await kinds(house, review)) == 1, "all of it or nothing"
    await run(house)

    assert suspension > 1, "it was killed nowhere"
    assert await kinds(house, review) == ["expired"]
    commands = await house.rows("SELECT id FROM commands WHERE case_id = %s", review.case_id)
    assert len(commands) == len(["start", "resume"])
    assert (await ended(house, review))[1].status is Status.REJECTED


# --- working hours ----------------------------------------------------------------------------------------


async def test_business_hours_pass_over_the_weekend(house: House, clock: ManualClock) -> None:
    await with_business_hours(house)
    review = await waiting(house)
    assert review.opened_at == FRIDAY_NOON
    monday_noon = FRIDAY_NOON + timedelta(days=3)  # 13 o'clock in Berlin on both: 4 hours and 4 hours
    assert (review.due_at, review.due_working) == (monday_noon, True)
    clock.advance(timedelta(days=3) - timedelta(seconds=1))
    await run(house)
    assert "escalated" not in await kinds(house, review)
    clock.advance(timedelta(seconds=1))
    await run(house)

    assert (await kinds(house, review))[-1] == "escalated"
    assert (await again(house, review)).due_at == monday_noon + timedelta(days=1)


async def test_a_parked_review_keeps_the_business_hours_that_it_had_left(
    house: House, clock: ManualClock
) -> None:
    await with_business_hours(house)
    review = await waiting(house)
    clock.advance(timedelta(hours=3))  # an hour of Friday is left, and four of Monday
    await parked(house, review)
    clock.advance(timedelta(days=2))  # Sunday afternoon

    after = await Acts(house.parts).answer(review.id, "The second.", FINN)

    assert after.due_at == datetime(2026, 11, 23, 13, tzinfo=UTC)  # Monday, five hours after nine in Berlin


# --- the worker does it -----------------------------------------------------------------------------------


async def test_the_worker_does_what_is_due_and_what_follows(house: House, clock: ManualClock) -> None:
    review = await waiting(house, FINANCES)
    clock.advance(timedelta(hours=24))
    stop = asyncio.Event()
    working = asyncio.create_task(
        run_worker(house.parts, stop, pace=Pace(wake_every=timedelta(milliseconds=50)))
    )

    async def rejected() -> bool:
        return (await house.case(review.case_id)).status is Status.REJECTED

    try:
        await until(rejected, "the review has expired and its case is rejected")
    finally:
        stop.set()
        await working
    assert await kinds(house, review) == ["expired"]
