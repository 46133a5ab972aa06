"""The refund workflow: its event, records, rules, roles and graph, put together."""

from graphs.kit import Judged, Kit, Mind
from graphs.refund.agents import (
    Assessment,
    Suspicion,
    Triage,
    fraud_playbook,
    policy_playbook,
    triage_playbook,
)
from graphs.refund.graph import build
from graphs.refund.records import (
    RefundFacts,
    RefundRequest,
    RefundTarget,
    ReplyDraft,
    ReplyFacts,
    derive,
    refund_facts,
    refunds_so_far,
    reply_facts,
)
from graphs.refund.undoing import ReversalFacts, reversal_facts
from graphs.retraction import RETRACTION
from nodes.records import Source, WindowStart
from nodes.shapes import Json
from nodes.windows import Subject

CUSTOMER = Subject(
    key=lambda event: str(event["customer_id"]), source="history.refunds", entries=refunds_so_far
)
RECORDS = (
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
        arguments={"customer_id": "event.customer_id", "since": WindowStart("payments.refund")},
    ),
)
SCOPE = (
    ("order.customer_id", "event.customer_id"),
    ("ticket.customer_id", "event.customer_id"),
    ("customer.customer_id", "event.customer_id"),
    ("payments.order_id", "event.order_id"),
    ("payments.payments.customer_id", "event.customer_id"),
    ("fraud.signals.customer_id", "event.customer_id"),
    ("history.customer_id", "event.customer_id"),
)


def _amount(arguments: Json) -> tuple[int, str]:
    return arguments["amount_minor"], arguments["currency"]


KIT = Kit(
    package="graphs.refund",
    name="refund",
    version="1",
    event_type="com.countersign.refund.requested",
    event=RefundRequest,
    title=lambda event: f"Refund for order {event.order_id}",
    sources=RECORDS,
    scope=SCOPE,
    derive=derive,
    derived={"target": RefundTarget, "reply": ReplyDraft},
    judged=(
        Judged(
            tool="payments.refund",
            file="rules.yaml",
            facts=RefundFacts,
            gather=refund_facts,
            own={
                "order_id": "order.order_id",
                "customer_id": "customer.customer_id",
                "payment_id": "target.payment_id",
            },
            amount=_amount,
            subjects={"customer": CUSTOMER},
        ),
        Judged(
            tool="tickets.reply",
            file="reply.yaml",
            facts=ReplyFacts,
            gather=reply_facts,
            own={"ticket_id": "ticket.ticket_id", "customer_id": "customer.customer_id"},
        ),
        Judged(
            tool="payments.reverse_refund",
            file="reversal.yaml",
            facts=ReversalFacts,
            gather=reversal_facts,
            own={name: f"undo.{name}" for name in ("refund_id", "amount_minor", "currency")},
            amount=_amount,
        ),
        RETRACTION,
    ),
    agents={
        "triage": Mind(Triage, triage_playbook),
        "fraud_analyst": Mind(Suspicion, fraud_playbook),
        "policy": Mind(Assessment, policy_playbook),
    },
    build=build,
)
