"""The promises, each as something that happens to one refund."""

from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest

from checkpoints.cases import Status
from checkpoints.errors import ReviewAlreadyDecided, StaleDigest
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible, ReviewExpired
from graphs.decisions import Ballot, Decisions
from graphs.settings import Settings
from nodes.marks import MASK
from nodes.permissions import Kind, Principal
from tests.house import FINN, LEE, SHOP, House, ManualClock
from tools.sandbox.cast import CAST

MEG = Principal(id="meg", kind=Kind.PERSON, name="Meg", roles=frozenset({"support_lead"}))


async def change_the_world(settings: Settings, statement: LiteralString, *values: str) -> None:
    """Something happens at the company while a case waits."""
    assert settings.sandbox_url is not None
    async with await psycopg.AsyncConnection.connect(settings.sandbox_url, autocommit=True) as connection:
        await connection.execute(statement, values)


async def test_a_fraud_signal_goes_to_people_whatever_the_amount(house: House) -> None:
    case = await house.after("fraud_customer")

    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "fraud_signal", "fraud_team")
    assert await house.refunds(CAST["fraud_customer"].order_id) == []


async def test_a_refund_after_the_window_is_refused_and_the_rule_is_named(house: House) -> None:
    case = await house.after("window_31_days")

    assert (case.status, case.reason) == (Status.REJECTED, "outside_window")
    (verdict,) = [event["data"] for event in await house.events(case.id) if event["kind"] == "verdict.given"]
    assert (verdict["verdict"]["row"], verdict["verdict"]["policy"]) == ("RF-61", "RP-2.1")
    assert verdict["facts"]["days_since_delivery"]["value"] == 31


async def test_ten_small_refunds_are_not_ten_small_refunds(house: House) -> None:
    first = await house.after("many_small_01")
    second = await house.after("many_small_02")

    assert (first.status, second.status) == (Status.CLOSED, Status.WAITING_REVIEW)


async def test_the_first_decision_is_final(house: House) -> None:
    case = await house.after("clean_120_00_1")
    review = await house.review(case.id)
    await house.vote(review, LEE, VoteKind.REJECT)

    with pytest.raises(ReviewAlreadyDecided, match="person:lee"):
        await house.vote(review, MEG)
    await house.work()
    assert (await house.case(case.id)).status is Status.REJECTED


async def test_a_vote_is_for_the_action_that_was_seen(house: House) -> None:
    review = await house.review((await house.after("clean_120_00_1")).id)

    with pytest.raises(StaleDigest):
        await Decisions(house.parts).vote(review.id, Ballot(kind=VoteKind.APPROVE, digest="0" * 64), LEE)


async def test_whoever_asked_cannot_sign(house: House) -> None:
    review = await house.review((await house.after("clean_120_00_1")).id)
    await house.rows("UPDATE cases SET opened_by = 'person:lee' WHERE id = %s", review.case_id)

    with pytest.raises(NotEligible, match="whoever asked for it"):
        await house.vote(review, LEE)


async def test_a_service_never_decides(house: House) -> None:
    review = await house.review((await house.after("clean_120_00_1")).id)

    with pytest.raises(NotEligible, match="only people decide"):
        await house.vote(review, SHOP)


async def test_what_changed_after_the_signature_goes_back_with_the_difference(
    house: House, settings: Settings
) -> None:
    scene = CAST["clean_120_00_1"]
    case = await house.after("clean_120_00_1")
    first = await house.review(case.id)
    await house.vote(first, LEE)
    await change_the_world(
        settings, "UPDATE customers SET tier = 'silver' WHERE customer_id = %s", scene.customer_id
    )
    await house.work()

    second = await house.review(case.id)
    assert second.id != first.id
    assert second.digest != first.digest
    assert "evidence.customer" in {change["field"] for change in second.shown["changes"]}
    assert await house.refunds(scene.order_id) == []
    assert (await house.decided(second, LEE)).status is Status.CLOSED


async def test_a_signature_is_no_good_once_people_would_not_be_asked_any_more(
    house: House, settings: Settings
) -> None:
    scene = CAST["clean_640_00_1"]
    case = await house.after("clean_640_00_1")
    await house.vote(await house.review(case.id), FINN)
    await change_the_world(
        settings, "UPDATE customers SET status = 'closed' WHERE customer_id = %s", scene.customer_id
    )
    await house.work()

    case = await house.case(case.id)
    assert (case.status, case.reason) == (Status.BLOCKED, "closed_account")
    assert await house.refunds(scene.order_id) == []


async def test_time_alone_never_approves(house: House, clock: ManualClock) -> None:
    case = await house.after("clean_120_00_1")
    review = await house.review(case.id)
    clock.advance(timedelta(days=30))
    await house.work()

    with pytest.raises(ReviewExpired):
        await house.vote(review, LEE)
    assert await house.refunds(CAST["clean_120_00_1"].order_id) == []


async def test_an_agent_never_sees_what_its_role_does_not_list(house: House) -> None:
    case = await house.after("clean_120_00_1")

    blobs = await house.rows("SELECT blob FROM checkpoint_blobs WHERE thread_id = %s", case.id)
    stored = b"".join(row["blob"] for row in blobs if row["blob"])
    assert b"arrived damaged" not in stored  # the ticket's text, which triage needs, and its checkpoint not
    assert b"@example" not in stored  # the customer's address, which nobody needs
    assert MASK.encode() in stored  # what the reviewer is not shown either


async def test_every_denied_attempt_is_on_the_record(house: House) -> None:
    case = await house.after("clean_640_00_1")
    review = await house.review(case.id)
    for who in (LEE, SHOP):
        with pytest.raises(NotEligible):
            await house.vote(review, who)

    denied = [event for event in await house.events(case.id) if event["kind"] == "vote.denied"]
    assert [event["actor"] for event in denied] == ["person:lee", "service:shop"]
