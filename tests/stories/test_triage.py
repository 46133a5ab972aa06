"""Tickets: what the records say is answered by itself, and a support lead reads everything else first."""

from typing import Any

import pytest

from checkpoints.cases import Status
from checkpoints.effects import EffectState
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.edits import EditRefused
from graphs.intake import Intake
from graphs.rollbacks import Rollbacks
from graphs.settings import Settings
from nodes.event import EventRefused
from tests.house import FINN, LEE, MAX, SHOP, House
from tests.stories.reviewing import EVERYBODY, edit, edited, now_working, told
from tests.stories.standing_still import altered, behaving, refuse, retried
from tests.stories.tickets import after_ticket, answers, ticket_event, ticket_review
from tools.contract import Call, Record, ToolUnavailable
from tools.sandbox.product_events.cast import TICKETS


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


# --- by itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "template", "says"),
    [
        ("where_is_it", "order_status", "your order O-900201 of 14 November 2026 is on its way to you."),
        ("has_it_come", "order_status", "was delivered on 10 November 2026."),
        ("late", "delivery_delay", "now expects to deliver it on 24 November 2026."),
    ],
)
async def test_what_the_records_say_is_answered_without_asking_anybody(
    house: House, scene: str, template: str, says: str
) -> None:
    case = await after_ticket(house, scene)

    assert case.status is Status.CLOSED
    (answer,) = await answers(house, scene)
    assert (answer["customer_id"], answer["template"]) == (TICKETS[scene].customer_id, template)
    assert says in answer["body"]


async def test_who_writes_again_after_an_answer_is_answered_by_a_person(house: House) -> None:
    await after_ticket(house, "where_is_it")
    again = await after_ticket(house, "where_is_it", event_id="again")

    assert again.status is Status.WAITING_REVIEW
    assert len(await answers(house, "where_is_it")) == 1


@pytest.mark.parametrize("scene", ["late_unknown", "late_overdue", "feed_disagrees", "long_on_its_way"])
async def test_what_the_records_do_not_say_plainly_a_person_reads_first(house: House, scene: str) -> None:
    case = await after_ticket(house, scene)

    assert case.status is Status.WAITING_REVIEW
    assert await answers(house, scene) == []


# --- people -----------------------------------------------------------------------------------------------

ASKED = {
    "lawyer": ("ST-20", "high"),
    "on_fire": ("ST-20", "high"),
    "two_matters": ("ST-31", "medium"),
    "angry": ("ST-40", "medium"),
    "late_and_gold": ("ST-42", "medium"),
    "urgent": ("ST-43", "medium"),
    "gone_customer": ("ST-44", "medium"),
    "wants_money_for_nothing": ("ST-46", "medium"),
    "wants_anothers_money": ("ST-46", "medium"),
    "account": ("ST-50", "low"),
}


@pytest.mark.parametrize("scene", ASKED)
async def test_what_is_risky_waits_for_a_support_lead_who_sees_why(house: House, scene: str) -> None:
    review = await ticket_review(house, scene)

    assert (review.rule, review.risk) == ASKED[scene]
    assert [rung["role"] for rung in review.ladder] == ["support_lead"]
    assert await answers(house, scene) == []
    with pytest.raises(NotEligible):
        await house.vote(review, FINN)


async def test_an_approved_draft_is_sent_as_it_was_read(house: House) -> None:
    review = await ticket_review(house, "account")
    shown = await house.opened(review.case_id, review.action["arguments"])

    case = await house.decided(review, LEE)

    assert case.status is Status.CLOSED
    (answer,) = await answers(house, "account")
    assert (answer["template"], answer["body"]) == ("written_by_hand", shown["body"])
    assert "Settings" in answer["body"]


async def test_an_edited_draft_is_read_by_somebody_else_and_sent_as_edited(house: House) -> None:
    review = await ticket_review(house, "account")
    case = await edited(house, review, LEE, body="Hello, we have sent you a link.")
    assert (case.status, await answers(house, "account")) == (Status.WAITING_REVIEW, [])
    second = await house.review(case.id)
    with pytest.raises(NotEligible):
        await house.vote(second, LEE)

    case = await house.decided(second, MAX)

    assert case.status is Status.CLOSED
    (answer,) = await answers(house, "account")
    assert answer["body"] == "Hello, we have sent you a link."


async def test_an_edit_cannot_send_the_answer_to_another_customers_ticket(house: House) -> None:
    other = TICKETS["lawyer"]
    review = await ticket_review(house, "account")
    with pytest.raises(EditRefused, match="out_of_scope"):
        await edit(house, review, LEE, ticket_id=other.ticket_id, customer_id=other.customer_id)

    assert await answers(house, "lawyer") == await answers(house, "account") == []


async def test_a_rejected_draft_is_not_sent(house: House) -> None:
    case = await house.decided(await ticket_review(house, "angry"), LEE, VoteKind.REJECT)

    assert (case.status, case.reason) == (Status.REJECTED, "review_rejected")
    assert await answers(house, "angry") == []


# --- neither ----------------------------------------------------------------------------------------------


async def test_what_nobody_can_tell_is_not_guessed_at(house: House) -> None:
    case = await after_ticket(house, "unclear")

    assert (case.status, case.reason, case.owner) == (Status.ESCALATED, "low_confidence", "support_lead")
    assert await answers(house, "unclear") == []


async def test_a_closed_ticket_stays_closed_and_no_agent_reads_it(house: House) -> None:
    case = await after_ticket(house, "done_with")

    assert (case.status, case.reason) == (Status.REJECTED, "ticket_closed")
    assert "agent.found" not in await house.kinds(case.id)
    assert await answers(house, "done_with") == []


async def test_a_ticket_of_somebody_else_starts_no_case(house: House) -> None:
    with pytest.raises(EventRefused) as refused:
        await after_ticket(house, "account", customer_id=TICKETS["lawyer"].customer_id)

    assert refused.value.reason == "out_of_scope"


# --- failures ---------------------------------------------------------------------------------------------


async def test_a_help_desk_that_refuses_the_answer_leaves_the_case_failed(house: House) -> None:
    case = await after_ticket(behaving(house, tickets_reply=refuse), "where_is_it")

    assert case.status is Status.FAILED
    assert await answers(house, "where_is_it") == []

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await answers(house, "where_is_it")) == 1


async def away(_arguments: Any, _call: Call) -> Record:
    raise ToolUnavailable("closed for today")


@pytest.mark.parametrize(
    "tool", ["tickets.get", "customers.get", "orders.of_customer", "product_events.of_customer"]
)
async def test_a_system_that_is_away_blocks_the_case_until_it_is_back(house: House, tool: str) -> None:
    case, _ = await Intake(house.parts).receive(ticket_event("where_is_it"), SHOP)
    await altered(house, tool, perform=away).work()
    stands = await house.case(case.id)
    assert (stands.status, stands.reason) == (Status.BLOCKED, "source_tool_unavailable")
    assert await answers(house, "where_is_it") == []

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await answers(house, "where_is_it")) == 1


# --- the text of a ticket ---------------------------------------------------------------------------------


async def test_what_a_ticket_orders_changes_nothing_that_is_sent(house: House) -> None:
    case = await after_ticket(house, "injected")

    assert case.status is Status.CLOSED
    (answer,) = await answers(house, "injected")
    assert "O-900224 of 14 November 2026 is on its way to you." in answer["body"]
    assert not {"9999", "card", "example.org"} & set(answer["body"].split())


# --- taking back ------------------------------------------------------------------------------------------


async def test_an_answer_that_is_still_held_can_be_taken_back(house: House) -> None:
    case = await after_ticket(house, "where_is_it")
    await Rollbacks(house.parts).start(case.id, "The order was mixed up.", None, LEE)
    await house.work()

    assert (await house.case(case.id)).status is Status.ROLLED_BACK
    assert [effect.state for effect in await house.effects(case.id)] == [EffectState.UNDONE, EffectState.DONE]
    (answer,) = await answers(house, "where_is_it")
    assert answer["status"] == "retracted"


async def test_the_record_says_which_way_a_ticket_went_and_why(house: House) -> None:
    case = await after_ticket(house, "late_unknown")

    sorted_ = [(one["to"], one["why"]) for one in await told(house, case.id, "case.sorted")]
    assert sorted_ == [("open", "ticket_open"), ("other", "no_refund_asked"), ("draft", "no_template")]
