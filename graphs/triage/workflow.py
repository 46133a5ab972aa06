"""The triage workflow: its event, records, rules, roles and graph, put together."""

from graphs.kit import Judged, Kit, Mind
from graphs.retraction import RETRACTION
from graphs.triage.agents import Classification, Resolution, classifier_playbook, resolver_playbook
from graphs.triage.answers import DERIVED, derive
from graphs.triage.facts import ReplyFacts, reply_facts
from graphs.triage.graph import build
from graphs.triage.subject import TicketReceived
from nodes.records import Source

OF_CUSTOMER = {"customer_id": "event.customer_id"}
RECORDS = (
    Source(name="ticket", tool="tickets.get", arguments={"ticket_id": "event.ticket_id"}),
    Source(name="customer", tool="customers.get", arguments=OF_CUSTOMER),
    Source(name="account", tool="orders.of_customer", arguments=OF_CUSTOMER),
    Source(name="product_events", tool="product_events.of_customer", arguments=OF_CUSTOMER),
    Source(name="earlier", tool="tickets.of_customer", arguments=OF_CUSTOMER),
)
SCOPE = (
    ("ticket.customer_id", "event.customer_id"),
    ("customer.customer_id", "event.customer_id"),
    ("account.customer_id", "event.customer_id"),
    ("account.orders.customer_id", "event.customer_id"),
    ("product_events.customer_id", "event.customer_id"),
    ("product_events.events.customer_id", "event.customer_id"),
    ("earlier.customer_id", "event.customer_id"),
    ("earlier.tickets.customer_id", "event.customer_id"),
)

KIT = Kit(
    package="graphs.triage",
    name="support_triage",
    version="1",
    event_type="com.countersign.ticket.received",
    event=TicketReceived,
    title=lambda event: f"Ticket {event.ticket_id}",
    sources=RECORDS,
    scope=SCOPE,
    derive=derive,
    derived=DERIVED,
    judged=(
        Judged(
            tool="tickets.reply",
            file="rules.yaml",
            facts=ReplyFacts,
            gather=reply_facts,
            own={"ticket_id": "ticket.ticket_id", "customer_id": "customer.customer_id"},
            hears=("classifier", "resolver"),
            said={"body": ("resolver",)},
        ),
        RETRACTION,
    ),
    agents={
        "classifier": Mind(Classification, classifier_playbook),
        "resolver": Mind(Resolution, resolver_playbook),
    },
    build=build,
)
