"""Money that is wanted back is the refund's: the ticket is handed over, and judged there on its own."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig

from checkpoints.cases import Case, Status
from checkpoints.errors import DatabaseAway
from checkpoints.session import Session
from graphs.intake import Intake
from graphs.runner import Graph, Runner
from graphs.settings import Settings
from nodes.context import Context
from nodes.shapes import Json
from tests.house import LEE, SHOP, House
from tests.stories.reviewing import TESS, now_working, told
from tests.stories.standing_still import be_away, behaving, retried
from tests.stories.tickets import after_ticket, answers, ticket_event
from tools.sandbox.product_events.cast import TICKETS


async def children(house: House, case: Case) -> list[Case]:
    rows = await house.rows("SELECT id FROM cases WHERE parent_id = %s ORDER BY created_at", case.id)
    return [await house.case(row["id"]) for row in rows]


async def child_of(house: House, case: Case) -> Case:
    (child,) = await children(house, case)
    return child


async def refunded(house: House, scene: str) -> list[int]:
    return [refund["amount_minor"] for refund in await house.refunds(TICKETS[scene].order_id)]


async def test_a_ticket_that_wants_money_back_becomes_a_refund_of_its_own(house: House) -> None:
    case = await after_ticket(house, "wants_money_back")

    assert case.status is Status.CLOSED
    child = await child_of(house, case)
    assert (child.workflow, child.depth, child.opened_by) == ("refund", 1, case.opened_by)
    scene = TICKETS["wants_money_back"]
    assert child.event == {
        "order_id": scene.order_id,
        "customer_id": scene.customer_id,
        "ticket_id": scene.ticket_id,
        "reason_code": "damaged",  # as the feed has it
        "amount_minor": None,
        "currency": None,
    }


async def test_parent_and_child_name_each_other_on_the_record(house: House) -> None:
    case = await after_ticket(house, "wants_money_back")
    child = await child_of(house, case)

    (handed,) = await told(house, case.id, "case.handed_over")
    assert (handed["case"], handed["type"]) == (child.id, "com.countersign.refund.requested")
    (received,) = await told(house, child.id, "event.received")
    assert (received["parent"], received["depth"]) == (case.id, 1)
    assert await house.effects(case.id) == []


async def test_the_child_waits_for_whom_the_refunds_rules_ask(house: House) -> None:
    child = await child_of(house, await after_ticket(house, "wants_money_back"))
    assert child.status is Status.WAITING_REVIEW
    assert await refunded(house, "wants_money_back") == []

    child = await house.decided(await house.review(child.id), LEE)

    assert child.status is Status.CLOSED
    assert await refunded(house, "wants_money_back") == [12000]
    (answer,) = await answers(house, "wants_money_back")
    assert answer["template"] == "refund_done"


async def test_the_child_is_judged_by_the_refunds_rules_alone(house: House) -> None:
    case = await after_ticket(house, "wants_it_too_late")
    child = await child_of(house, case)

    assert (case.status, child.status, child.reason) == (Status.CLOSED, Status.REJECTED, "outside_window")
    assert await refunded(house, "wants_it_too_late") == []


async def test_what_an_agent_has_read_out_of_a_ticket_is_paid_by_no_rule_however_little_it_is(
    house: House,
) -> None:
    child = await child_of(house, await after_ticket(house, "wants_little_back"))
    review = await house.review(child.id)

    assert (review.rule, review.roles) == ("RF-85", ["support_lead"])
    assert review.shown["facts"]["asked_by"]["value"] == "model"
    assert await refunded(house, "wants_little_back") == []
    assert (await house.decided(review, LEE)).status is Status.CLOSED
    assert await refunded(house, "wants_little_back") == [2990]


@pytest.mark.parametrize("scene", ["wants_money_for_nothing", "wants_anothers_money"])
async def test_without_an_order_of_theirs_nothing_is_handed_over(house: House, scene: str) -> None:
    case = await after_ticket(house, scene)

    assert case.status is Status.WAITING_REVIEW
    assert await children(house, case) == []
    why = [one["why"] for one in await told(house, case.id, "case.sorted")]
    assert why == ["ticket_open", "no_order_of_theirs", "no_template"]


class DiesAfterOpening(Runner):
    """A runner that loses its database between the child and the parent's next checkpoint."""

    async def _invoke(
        self, graph: Graph, given: Any, config: RunnableConfig, context: Context, session: Session
    ) -> Json:
        async def opened_then_lost(name: str, event_type: str, data: Json) -> str:
            await context.open_case(name, event_type, data)
            raise psycopg.OperationalError("the connection is lost")

        dying = replace(context, open_case=opened_then_lost)
        return await super()._invoke(graph, given, config, dying, session)


async def test_after_a_crash_between_the_same_child_is_found(house: House) -> None:
    case, _ = await Intake(house.parts).receive(ticket_event("wants_little_back"), SHOP)
    house.runner = DiesAfterOpening(house.parts)
    with pytest.raises(DatabaseAway):
        await house.work()
    opened = await child_of(house, case)
    assert "case.handed_over" not in await house.kinds(case.id)

    await House(house.parts).work()

    assert (await child_of(house, case)).id == opened.id
    (handed,) = await told(house, case.id, "case.handed_over")
    assert handed["case"] == opened.id
    assert (await house.case(case.id)).status is Status.CLOSED
    await house.decided(await house.review(opened.id), LEE)
    assert await refunded(house, "wants_little_back") == [2990]


async def test_where_the_refund_cannot_be_opened_the_ticket_is_blocked_until_it_can(
    house: House, settings: Settings
) -> None:
    now_working(settings, LEE, TESS)
    case, _ = await Intake(house.parts).receive(ticket_event("wants_little_back"), SHOP)
    await behaving(house, fraud_signals=be_away).work()
    stands = await house.case(case.id)
    assert (stands.status, stands.reason) == (Status.BLOCKED, "source_tool_unavailable")
    assert await children(house, case) == []

    await retried(house, case.id)

    assert (await house.case(case.id)).status is Status.CLOSED
    assert (await child_of(house, case)).status is Status.WAITING_REVIEW
