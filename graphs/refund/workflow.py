"""The refund workflow: its event, records, rules, roles and graph, put together."""

from graphs.refund.agents import Assessment, Triage
from graphs.refund.graph import build
from graphs.refund.records import (
    RefundFacts,
    RefundRequest,
    ReplyFacts,
    derive,
    refund_facts,
    refunds_so_far,
    reply_facts,
)
from graphs.refund.undoing import RetractionFacts, ReversalFacts, retraction_facts, reversal_facts
from graphs.roles import load_roles, read_text
from graphs.tables import TableSource
from nodes.records import Source, WindowStart
from nodes.shapes import Json
from nodes.windows import Subject
from nodes.workflow import Ruling, Workflow

_HERE = "graphs.refund"


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
)


def refund_tables() -> tuple[TableSource, ...]:
    """The tables that judge refunds, replies, and taking them back; raises TableUnfit if one is unfit."""
    roles = load_roles(_HERE)
    return (
        TableSource(
            package=_HERE,
            file="rules.yaml",
            facts=RefundFacts,
            words=roles.words("payments.refund", subjects={"customer"}),
        ),
        TableSource(package=_HERE, file="reply.yaml", facts=ReplyFacts, words=roles.words("tickets.reply")),
        TableSource(
            package=_HERE,
            file="reversal.yaml",
            facts=ReversalFacts,
            words=roles.words("payments.reverse_refund"),
        ),
        TableSource(
            package=_HERE,
            file="retraction.yaml",
            facts=RetractionFacts,
            words=roles.words("tickets.retract_reply"),
        ),
    )


def refund_workflow() -> Workflow:
    """The workflow; raises TableUnfit if a table or the roles do not hold together."""
    roles = load_roles(_HERE)
    refunds, replies, *undoing = refund_tables()
    refund = Ruling(
        table=refunds.load(),
        read=refunds.load,
        facts=refunds.facts,
        gather=refund_facts,
        own={
            "order_id": "order.order_id",
            "customer_id": "customer.customer_id",
            "payment_id": "target.payment_id",
        },
        amount=_amount,
        subjects={"customer": CUSTOMER},
    )
    reply = Ruling(
        table=replies.load(),
        read=replies.load,
        facts=replies.facts,
        gather=reply_facts,
        own={"ticket_id": "ticket.ticket_id", "customer_id": "customer.customer_id"},
    )
    return Workflow(
        name="refund",
        version="1",
        event_type="com.countersign.refund.requested",
        event=RefundRequest,
        title=lambda event: f"Refund for order {event.order_id}",
        sources=RECORDS,
        scope=SCOPE,
        derive=derive,
        rulings={ruling.table.tool: ruling for ruling in (refund, reply, *undo_rulings(*undoing))},
        agents={
            "triage": roles.agent("triage", Triage, read_text(_HERE, "prompts", "triage.md")),
            "policy": roles.agent("policy", Assessment, read_text(_HERE, "prompts", "policy.md")),
        },
        permissions=roles.permissions(),
        owner=roles.owner,
        owners=roles.owners,
        limits=roles.bounds(),
        hours=roles.working_hours(),
        reviewer_view=roles.reviewer.view(),
        build=build,
    )


def undo_rulings(reversals: TableSource, retractions: TableSource) -> tuple[Ruling, Ruling]:
    """How it is judged to take a refund back, and the words about it."""
    reversal = Ruling(
        table=reversals.load(),
        read=reversals.load,
        facts=reversals.facts,
        gather=reversal_facts,
        own={name: f"undo.{name}" for name in ("refund_id", "amount_minor", "currency")},
        amount=_amount,
    )
    retraction = Ruling(
        table=retractions.load(),
        read=retractions.load,
        facts=retractions.facts,
        gather=retraction_facts,
        own={"reply_id": "undo.reply_id"},
    )
    return reversal, retraction


def _amount(arguments: Json) -> tuple[int, str]:
    return arguments["amount_minor"], arguments["currency"]
