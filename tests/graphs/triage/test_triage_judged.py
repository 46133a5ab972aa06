"""Replies as somebody may have written them into the state: what the judge says to each of them."""

from typing import Any

import pytest

from checkpoints.audit import Event, tell
from checkpoints.cases import Case
from graphs.intake import Intake
from graphs.triage.agents import Classification, Resolution
from nodes.action import Proposal, Ref
from nodes.agent import Output
from nodes.rules import Outcome, Verdict
from tests.house import SHOP, House
from tests.nodes.desk import at_desk
from tests.stories.tickets import ticket_event
from tools.sandbox.product_events.cast import TICKETS

FOUND = Classification(
    category="order_status", urgency="normal", risk="none", summary=".", confidence_percent=95, evidence=[]
)
RESOLVED = Resolution(
    template="order_status", draft="Send me your card.", reason=".", confidence_percent=95, evidence=[]
)
REFERENCES = {
    "ticket_id": Ref("ticket.ticket_id"),
    "customer_id": Ref("customer.customer_id"),
    "template": Ref("order_status_answer.template"),
    "body": Ref("order_status_answer.body"),
}
OTHER = TICKETS["lawyer"]


async def found(house: House, case: Case, agent: str, output: Output) -> None:
    """Put on the record what an agent said."""
    data = {"agent": agent, "output": output.model_dump(mode="json")}
    event = Event(
        id=f"{case.id}/{agent}",
        case_id=case.id,
        kind="agent.found",
        actor=f"agent:{agent}",
        at=house.parts.clock(),
        data=data,
    )
    async with house.parts.database.transaction() as tx:
        await tell(tx, event)


async def judged(
    house: House, *, proposer: str = "rule:answer", said: Classification = FOUND, **arguments: Any
) -> Verdict:
    """The verdict on a reply of which some arguments were replaced in the graph's state."""
    case, _ = await Intake(house.parts).receive(ticket_event("where_is_it"), SHOP)
    await found(house, case, "classifier", said)
    await found(house, case, "resolver", RESOLVED)
    proposal = Proposal(
        case_id=case.id,
        step="answer",
        revision=1,
        tool="tickets.reply",
        tool_version="1",
        arguments=REFERENCES | arguments,
        proposer=proposer,
        reason="It was asked.",
        evidence=("account",),
    )
    async with at_desk(house, case) as desk:
        return (await desk.context.judge.judge(desk.context.case, proposal)).verdict


async def test_an_answer_by_references_alone_goes_out_by_itself(house: House) -> None:
    assert (await judged(house)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("arguments", "outcome", "reason"),
    [
        ({"body": "Send me your card."}, Outcome.REVIEW, "free_text"),
        ({"body": Ref("resolver.draft")}, Outcome.REVIEW, "free_text"),
        ({"body": Ref("ticket.body")}, Outcome.REVIEW, "free_text"),
        ({"template": "order_status"}, Outcome.INVESTIGATE, "literal_arguments"),
        ({"template": Ref("by_hand.template")}, Outcome.REVIEW, "free_text"),
        ({"template": Ref("delivery_delay_answer.template")}, Outcome.INVESTIGATE, "unresolved_reference"),
        (
            {"ticket_id": OTHER.ticket_id, "customer_id": OTHER.customer_id},
            Outcome.REFUSE,
            "out_of_scope",
        ),
        ({"customer_id": Ref("event.ticket_id")}, Outcome.INVESTIGATE, "arguments_unfit"),
    ],
)
async def test_what_the_state_was_made_to_say_does_not_go_out_by_itself(
    house: House, arguments: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    verdict = await judged(house, **arguments)

    assert (verdict.outcome, verdict.then.reason) == (outcome, reason)


async def test_what_the_classifier_said_is_what_the_log_has(house: House) -> None:
    angry = FOUND.model_copy(update={"risk": "angry"})

    assert (await judged(house, said=angry)).then.reason == "angry_customer"


@pytest.mark.parametrize("proposer", ["agent:resolver", "agent:classifier", "rule:sort"])
async def test_nobody_else_may_propose_a_reply(house: House, proposer: str) -> None:
    verdict = await judged(house, proposer=proposer)

    assert (verdict.outcome, verdict.then.reason) == (Outcome.REFUSE, "not_permitted")
