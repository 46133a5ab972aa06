"""Read these first: what Countersign is for, one sentence at a time."""

import pytest

from checkpoints.cases import Status
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from tests.house import FINN, LEE, House
from tools.sandbox.cast import CAST


async def test_a_small_clean_refund_is_paid_without_asking_anybody(house: House) -> None:
    case = await house.after("clean_29_90_1")

    assert case.status is Status.CLOSED
    assert [effect.tool for effect in await house.effects(case.id)] == ["payments.refund", "tickets.reply"]
    (refund,) = await house.refunds(CAST["clean_29_90_1"].order_id)
    assert (refund["amount_minor"], refund["currency"]) == (2990, "EUR")


async def test_money_moves_only_after_a_person_says_so(house: House) -> None:
    case = await house.after("clean_120_00_1")
    assert case.status is Status.WAITING_REVIEW
    assert await house.refunds(CAST["clean_120_00_1"].order_id) == []

    case = await house.decided(await house.review(case.id), LEE)

    assert case.status is Status.CLOSED
    (refund,) = await house.refunds(CAST["clean_120_00_1"].order_id)
    assert refund["amount_minor"] == 12000


async def test_what_a_person_rejects_is_not_done(house: House) -> None:
    case = await house.after("clean_120_00_2")
    case = await house.decided(await house.review(case.id), LEE, VoteKind.REJECT)

    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")
    assert await house.refunds(CAST["clean_120_00_2"].order_id) == []


async def test_the_same_event_is_one_case(house: House) -> None:
    first = await house.send("clean_29_90_2", event_id="e-1")
    await house.work()
    again = await house.send("clean_29_90_2", event_id="e-1")
    await house.work()

    assert again.id == first.id
    assert len(await house.refunds(CAST["clean_29_90_2"].order_id)) == 1


async def test_a_lead_cannot_release_what_needs_finance(house: House) -> None:
    case = await house.after("clean_640_00_1")
    review = await house.review(case.id)

    with pytest.raises(NotEligible):
        await house.vote(review, LEE)

    assert "vote.denied" in await house.kinds(case.id)
    assert (await house.decided(review, FINN)).status is Status.CLOSED
