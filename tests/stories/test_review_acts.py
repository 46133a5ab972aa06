"""What people do with a review short of deciding it: in hand, handed over, handed up, asked about."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from checkpoints.cases import Status
from checkpoints.errors import ReviewAlreadyDecided, StaleDigest
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.acts import CLAIM_LIFE, INFO_LIFE, MOST_SAID, Acts, NothingAbove, NotWaitingForInfo, TooMuchSaid
from graphs.closing import NotEligible, ReviewClaimed, ReviewParked
from graphs.deadlines import Deadlines
from graphs.settings import Settings
from nodes.permissions import Principal
from tests.house import FINN, LEE, MAX, SHOP, House, ManualClock
from tests.stories.reviewing import (
    BOT,
    EVERYBODY,
    FAY,
    MEG,
    NORA,
    TESS,
    as_service,
    denials,
    now_working,
    standing,
    told,
    waiting,
)
from tools.sandbox.cast import CAST

LEADS, FINANCES = "clean_120_00_1", "clean_640_00_1"


@pytest.fixture
def acts(house: House, settings: Settings) -> Acts:
    now_working(settings, *EVERYBODY)
    return Acts(house.parts)


# --- in hand ----------------------------------------------------------------------------------------------


async def test_nobody_else_decides_what_somebody_has_in_hand(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    claimed = await acts.claim(review.id, LEE)
    assert (claimed.claimed_by, claimed.claimed_until) == ("person:lee", house.parts.clock() + CLAIM_LIFE)

    for kind in (VoteKind.APPROVE, VoteKind.REJECT):
        with pytest.raises(ReviewClaimed, match="person:lee has it in hand until"):
            await house.vote(review, MAX, kind)

    assert await denials(house, review.case_id) == [("person:max", "ReviewClaimed")] * 2
    assert (await house.decided(review, LEE)).status is Status.CLOSED


async def test_a_claim_ends_by_itself(house: House, acts: Acts, clock: ManualClock) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    clock.advance(CLAIM_LIFE)

    assert (await house.decided(review, MAX)).status is Status.CLOSED


async def test_a_claim_is_made_longer_by_claiming_again(house: House, acts: Acts, clock: ManualClock) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    clock.advance(CLAIM_LIFE / 2)
    await acts.claim(review.id, LEE)
    clock.advance(CLAIM_LIFE / 2)

    with pytest.raises(ReviewClaimed):
        await acts.claim(review.id, MAX)


async def test_what_was_let_go_anybody_may_decide(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    released = await acts.release(review.id, LEE)

    assert (released.claimed_by, released.claimed_until) == (None, None)
    assert (await house.decided(review, MAX)).status is Status.CLOSED
    kinds = await house.kinds(review.case_id)
    assert kinds.index("review.claimed") < kinds.index("review.released")


async def test_nobody_lets_go_of_what_another_has_in_hand(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    with pytest.raises(NotEligible, match="somebody else has it in hand"):
        await acts.release(review.id, MAX)
    assert await denials(house, review.case_id) == [("person:max", "NotEligible")]

    assert (await acts.release(review.id, TESS)).claimed_by is None


async def test_only_a_lead_of_the_work_takes_a_review_out_of_anothers_hands(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    with pytest.raises(ReviewClaimed):
        await acts.claim(review.id, MAX, take_over=True)
    with pytest.raises(ReviewClaimed):
        await acts.claim(review.id, TESS)

    taken = await acts.claim(review.id, TESS, take_over=True)

    assert taken.claimed_by == "person:tess"
    (event,) = await told(house, review.case_id, "review.taken_over")
    assert (event["by"], event["from"]) == ("person:tess", "person:lee")
    with pytest.raises(ReviewClaimed):
        await house.vote(review, LEE)


async def test_who_takes_a_review_over_may_still_not_sign_it(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, TESS, take_over=True)
    with pytest.raises(NotEligible, match="needs the role support_lead"):
        await house.vote(review, TESS)


async def test_who_could_not_decide_a_review_cannot_take_it_in_hand(house: House, acts: Acts) -> None:
    review = await waiting(house, FINANCES)
    for who in (LEE, NORA, TESS):
        with pytest.raises(NotEligible):
            await acts.claim(review.id, who)
    assert [who for who, _ in await denials(house, review.case_id)] == [
        "person:lee",
        "person:nora",
        "person:tess",
    ]


# --- given to somebody ------------------------------------------------------------------------------------


async def test_a_lead_gives_a_review_to_somebody_who_then_decides_it(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    given = await acts.assign(review.id, MAX.actor, TESS)

    assert (given.claimed_by, given.assigned_by) == ("person:max", "person:tess")
    (event,) = await told(house, review.case_id, "review.assigned")
    assert (event["by"], event["to"]) == ("person:tess", "person:max")
    with pytest.raises(ReviewClaimed):
        await house.vote(review, LEE)
    assert (await house.decided(review, MAX)).status is Status.CLOSED


async def test_a_review_is_given_only_to_who_may_decide_it(
    house: House, acts: Acts, subtests: pytest.Subtests
) -> None:
    review = await waiting(house, LEADS)
    for to in ("person:finn", "person:nora", "person:tess", "person:nobody", "service:shop"):
        with subtests.test(to):
            before = await standing(house, review.case_id)
            with pytest.raises(NotEligible, match=to):
                await acts.assign(review.id, to, TESS)
            assert await standing(house, review.case_id) == before


async def test_a_review_is_not_given_to_whoever_asked_for_it(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await house.rows("UPDATE cases SET opened_by = 'person:max' WHERE id = %s", review.case_id)
    with pytest.raises(NotEligible, match="person:max may not decide it: whoever asked for it"):
        await acts.assign(review.id, MAX.actor, TESS)


async def test_only_a_lead_of_the_work_gives_it_to_somebody(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    for who in (LEE, FINN, SHOP, as_service(TESS)):
        with pytest.raises(NotEligible, match="only a lead"):
            await acts.assign(review.id, MAX.actor, who)
    assert len(await denials(house, review.case_id)) == 4


# --- a word about it, and handing it up -------------------------------------------------------------------


async def test_a_comment_decides_nothing_and_whoever_made_it_may_still_sign(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    commented = await acts.comment(review.id, "The photo is blurred.", LEE)

    assert (commented.status, commented.digest) == (review.status, review.digest)
    assert commented.version > review.version
    (said,) = await told(house, review.case_id, "vote.cast")
    assert (said["by"], said["vote_kind"], said["comment"]) == (
        "person:lee",
        "comment",
        "The photo is blurred.",
    )
    assert (await house.decided(review, LEE)).status is Status.CLOSED


async def test_to_a_review_to_which_much_was_said_no_more_is_said_and_it_is_still_decided(
    house: House, acts: Acts
) -> None:
    review = await waiting(house, LEADS)
    await acts.comment(review.id, "The photo is blurred.", LEE)
    await house.rows(_AS_OFTEN, MOST_SAID - 2)
    review = await acts.comment(review.id, "And again.", LEE)

    with pytest.raises(TooMuchSaid):
        await acts.comment(review.id, "Once too often.", LEE)
    with pytest.raises(TooMuchSaid):
        await acts.ask_back(review.id, review.digest, "Once too often?", LEE)
    assert await denials(house, review.case_id) == [("person:lee", "TooMuchSaid")] * 2
    assert await house.rows("SELECT count(*) AS said FROM votes") == [{"said": MOST_SAID}]
    assert (await house.decided(review, LEE)).status is Status.CLOSED


_AS_OFTEN = """
INSERT INTO votes SELECT (jsonb_populate_record(v, jsonb_build_object('id', v.id || n))).*
FROM votes v, generate_series(1, %s) n
"""


async def test_what_a_lead_hands_up_finance_signs_and_then_it_is_done(
    house: House, acts: Acts, clock: ManualClock
) -> None:
    review = await waiting(house, LEADS)
    clock.advance(timedelta(hours=3))
    raised = await acts.escalate(review.id, review.digest, "Too odd for me.", LEE)

    assert (raised.roles, raised.digest) == (["finance"], review.digest)
    assert raised.due_at == clock() + timedelta(hours=8)
    (event,) = await told(house, review.case_id, "review.escalated")
    assert (event["by"], event["to_role"]) == ("person:lee", "finance")
    with pytest.raises(NotEligible, match="needs the role finance"):
        await house.vote(raised, MAX)
    assert (await house.decided(raised, FINN)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LEADS].order_id)) == 1


async def test_where_nobody_is_above_nothing_can_be_handed_up(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    raised = await acts.escalate(review.id, review.digest, "Too odd for me.", LEE)
    before = await standing(house, review.case_id)
    with pytest.raises(NothingAbove):
        await acts.escalate(raised.id, raised.digest, "For me too.", FINN)
    other = await waiting(house, FINANCES)
    with pytest.raises(NothingAbove):
        await acts.escalate(other.id, other.digest, "Up.", FINN)

    assert await standing(house, review.case_id) == before
    assert await denials(house, review.case_id) == [("person:finn", "NothingAbove")]


async def test_handing_up_ends_the_claim_of_whoever_had_it(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    raised = await acts.escalate(review.id, review.digest, "Too odd for me.", LEE)
    assert raised.claimed_by is None
    assert (await house.decided(raised, FINN)).status is Status.CLOSED


# --- asking back ------------------------------------------------------------------------------------------


async def test_a_question_parks_the_case_and_its_clock(house: House, acts: Acts, clock: ManualClock) -> None:
    review = await waiting(house, LEADS)
    clock.advance(timedelta(hours=1))
    parked = await acts.ask_back(review.id, review.digest, "Which photo?", LEE)

    assert (await house.case(review.case_id)).status is Status.WAITING_INFO
    assert (parked.paused_at, parked.asked_by) == (clock(), "person:lee")
    clock.advance(timedelta(hours=30))
    await Deadlines(house.parts).run()
    await house.work()
    assert [one.id for one in await house.open_reviews(review.case_id)] == [review.id]
    assert (await house.case(review.case_id)).status is Status.WAITING_INFO
    assert "review.reminded" not in await house.kinds(review.case_id)
    for who in (LEE, MAX):
        with pytest.raises(ReviewParked):
            await house.vote(review, who)


async def test_a_parked_review_is_taken_in_hand_by_nobody(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.ask_back(review.id, review.digest, "Which photo?", LEE)
    for who in (LEE, MAX, NORA, BOT):
        with pytest.raises(ReviewParked):
            await acts.claim(review.id, who)
    with pytest.raises(ReviewParked):
        await acts.claim(review.id, TESS, take_over=True)


async def test_the_case_says_whom_it_waits_for(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    assert (await house.case(review.case_id)).owner == "support_lead"
    await acts.ask_back(review.id, review.digest, "Which photo?", LEE)
    assert (await house.case(review.case_id)).owner == "service:shop"
    await acts.answer(review.id, "The second one.", SHOP)
    assert (await house.case(review.case_id)).owner == "support_lead"
    await acts.escalate(review.id, review.digest, "Too odd for me.", LEE)
    assert (await house.case(review.case_id)).owner == "finance"


async def test_the_answer_brings_it_back_to_who_asked_with_the_due_time_moved_by_the_pause(
    house: House, acts: Acts, clock: ManualClock
) -> None:
    review = await waiting(house, LEADS)
    clock.advance(timedelta(hours=1))
    await acts.ask_back(review.id, review.digest, "Which photo?", LEE)
    clock.advance(timedelta(hours=30))
    back = await acts.answer(review.id, "The second one.", SHOP)

    assert back.paused_at is None
    assert back.due_at == review.due_at + timedelta(hours=30)
    assert review.remind_at is not None
    assert back.remind_at == review.remind_at + timedelta(hours=30)
    assert back.claimed_by == "person:lee"
    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    (event,) = await told(house, review.case_id, "review.info_given")
    assert (event["by"], event["to"], event["text"]) == ("service:shop", "person:lee", "The second one.")
    with pytest.raises(ReviewClaimed):
        await house.vote(review, MAX)
    assert (await house.decided(review, LEE)).status is Status.CLOSED


async def test_only_the_service_that_opened_a_case_answers_for_it(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.ask_back(review.id, review.digest, "Which photo?", LEE)
    before = await standing(house, review.case_id)
    with pytest.raises(NotEligible, match="the cases that it opened"):
        await acts.answer(review.id, "Believe me.", BOT)

    assert await standing(house, review.case_id) == before
    assert await denials(house, review.case_id) == [("service:bot", "NotEligible")]


async def test_what_nobody_asked_needs_no_answer(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    with pytest.raises(NotWaitingForInfo):
        await acts.answer(review.id, "By the way.", SHOP)
    await acts.ask_back(review.id, review.digest, "Which photo?", LEE)
    await acts.answer(review.id, "The second one.", SHOP)
    with pytest.raises(NotWaitingForInfo):
        await acts.answer(review.id, "And the third.", SHOP)


async def test_a_question_that_nobody_answers_comes_back_by_itself(
    house: House, acts: Acts, clock: ManualClock
) -> None:
    review = await waiting(house, LEADS)
    await acts.ask_back(review.id, review.digest, "Which photo?", LEE)
    clock.advance(INFO_LIFE)
    await Deadlines(house.parts).run()

    back = await house.review(review.case_id)
    assert (back.paused_at, back.claimed_by) == (None, "person:lee")
    assert (await house.case(review.case_id)).status is Status.WAITING_REVIEW
    assert "review.info_overdue" in await house.kinds(review.case_id)


# --- who acts, and on what --------------------------------------------------------------------------------

Act = Callable[[Acts, Review, Principal], Awaitable[object]]
ACTS: dict[str, Act] = {
    "claim": lambda acts, review, who: acts.claim(review.id, who),
    "take over": lambda acts, review, who: acts.claim(review.id, who, take_over=True),
    "release": lambda acts, review, who: acts.release(review.id, who),
    "assign": lambda acts, review, who: acts.assign(review.id, MEG.actor, who),
    "comment": lambda acts, review, who: acts.comment(review.id, "Fine.", who),
    "escalate": lambda acts, review, who: acts.escalate(review.id, review.digest, "Up.", who),
    "ask back": lambda acts, review, who: acts.ask_back(review.id, review.digest, "What?", who),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
async def test_services_and_agents_do_nothing_with_a_review(house: House, acts: Acts, act: Act) -> None:
    review = await waiting(house, LEADS)
    before = await standing(house, review.case_id)
    for who in (SHOP, as_service(LEE), as_service(TESS)):
        with pytest.raises(NotEligible):
            await act(acts, review, who)

    assert await standing(house, review.case_id) == before
    assert await denials(house, review.case_id) == [
        ("service:shop", "NotEligible"),
        ("service:lee", "NotEligible"),
        ("service:tess", "NotEligible"),
    ]


@pytest.mark.parametrize("name", ["claim", "take over", "assign", "escalate", "ask back"])
async def test_there_is_nothing_to_do_with_a_decided_review(house: House, acts: Acts, name: str) -> None:
    review = await waiting(house, LEADS)
    await house.decided(review, LEE)
    before = await standing(house, review.case_id)
    with pytest.raises(ReviewAlreadyDecided):
        await ACTS[name](acts, review, TESS if name in {"take over", "assign"} else MAX)
    assert await standing(house, review.case_id) == before


async def test_a_decided_review_is_in_nobodys_hands_any_more(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    await acts.claim(review.id, LEE)
    await house.decided(review, LEE)
    with pytest.raises(ReviewAlreadyDecided):
        await acts.release(review.id, TESS)


async def test_handing_up_and_asking_back_are_about_the_action_that_was_seen(
    house: House, acts: Acts
) -> None:
    review = await waiting(house, LEADS)
    for act in (acts.escalate, acts.ask_back):
        with pytest.raises(StaleDigest):
            await act(review.id, "0" * 64, "Hm.", LEE)


async def test_whoever_had_no_part_in_the_question_cannot_ask_it(house: House, acts: Acts) -> None:
    review = await waiting(house, LEADS)
    for who in (FAY, NORA):
        with pytest.raises(NotEligible):
            await acts.ask_back(review.id, review.digest, "What?", who)
        with pytest.raises(NotEligible):
            await acts.escalate(review.id, review.digest, "Up.", who)
