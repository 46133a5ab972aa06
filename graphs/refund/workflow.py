"""The refund workflow: its event, records, rules, roles and graph, put together."""

from datetime import datetime

from graphs.refund.agents import Assessment, Triage
from graphs.refund.graph import build
from graphs.refund.records import (
    WINDOW,
    RefundFacts,
    RefundRequest,
    ReplyFacts,
    derive,
    refund_facts,
    reply_facts,
)
from graphs.roles import load_roles, read_text
from nodes.records import Source
from nodes.rule_files import load_table
from nodes.shapes import Json
from nodes.workflow import Ruling, Workflow

_HERE = "graphs.refund"
_PLACE = "graphs/refund"


def _since(now: datetime) -> datetime:
    return now - WINDOW


SOURCES = (
    Source(name="ticket", tool="tickets.get", arguments={"ticket_id": "event.ticket_id"}),
    Source(name="order", tool="orders.get", arguments={"order_id": "event.order_id"}),
    Source(name="customer", tool="customers.get", arguments={"customer_id": "event.customer_id"}),
    Source(name="payments", tool="payments.list", arguments={"order_id": "event.order_id"}),
    Source(
        name="fraud",
        tool="fraud.signals",
        arguments={"customer_id": "event.customer_id", "order_id": "event.order_id"},
    ),
    Source(
        name="history",
        tool="payments.history",
        arguments={"customer_id": "event.customer_id", "since": _since},
    ),
)
SCOPE = (
    ("order.customer_id", "event.customer_id"),
    ("ticket.customer_id", "event.customer_id"),
)


def refund_workflow() -> Workflow:
    """The workflow; raises TableUnfit if a table or the roles do not hold together."""
    roles = load_roles(_HERE)
    refund = load_table(read_text(_HERE, "rules.yaml"), source=f"{_PLACE}/rules.yaml", facts=RefundFacts)
    reply = load_table(read_text(_HERE, "reply.yaml"), source=f"{_PLACE}/reply.yaml", facts=ReplyFacts)
    return Workflow(
        name="refund",
        version="1",
        event_type="com.countersign.refund.requested",
        event=RefundRequest,
        title=lambda event: f"Refund for order {event.order_id}",
        sources=SOURCES,
        scope=SCOPE,
        derive=derive,
        rulings={
            refund.tool: Ruling(
                table=refund,
                facts=RefundFacts,
                gather=refund_facts,
                own={
                    "order_id": "order.order_id",
                    "customer_id": "customer.customer_id",
                    "payment_id": "target.payment_id",
                },
                amount=_amount,
                window_of="customer_id",
            ),
            reply.tool: Ruling(
                table=reply,
                facts=ReplyFacts,
                gather=reply_facts,
                own={"ticket_id": "ticket.ticket_id", "customer_id": "customer.customer_id"},
            ),
        },
        agents={
            "triage": roles.agent("triage", Triage, read_text(_HERE, "prompts", "triage.md")),
            "policy": roles.agent("policy", Assessment, read_text(_HERE, "prompts", "policy.md")),
        },
        steps=roles.steps(),
        reviewers=roles.reviewers(),
        owner=roles.owner,
        reviewer_view=roles.reviewer.view(),
        build=build,
    )


def _amount(arguments: Json) -> tuple[int, str]:
    return arguments["amount_minor"], arguments["currency"]
