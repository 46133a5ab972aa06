"""The sample workflow: what starts it, what it reads, who looks, and what it may do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from graphs.flow import Builder, Flow
from graphs.kit import Judged, Kit, Mind
from nodes.action import Proposal, Ref
from nodes.agent import Output, Percent, Words
from nodes.ask import ask
from nodes.context import Context
from nodes.facts import Fact, Facts
from nodes.propose import propose
from nodes.records import Records, Source
from nodes.retrieve import retrieve
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.workflow import EventData
from tools.contract import FieldClass, Marked, Record, Trust
from tools.sandbox.customers import Customer, CustomerId
from tools.sandbox.tickets import Ticket, TicketId

READER = "sample_reader"
"""The agent. Its name is its own over all workflows, and a record's name is none."""


# What starts a case, and which records belong to it.


class Request(EventData):
    """A customer has written."""

    ticket_id: TicketId
    customer_id: CustomerId


SOURCES = (
    Source(name="ticket", tool="tickets.get", arguments={"ticket_id": "event.ticket_id"}),
    Source(name="customer", tool="customers.get", arguments={"customer_id": "event.customer_id"}),
)
SCOPE = (
    ("ticket.customer_id", "event.customer_id"),
    ("customer.customer_id", "event.customer_id"),
)


class Letter(Record):
    """What the customer is told, in our own words."""

    template: str
    body: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]


def derive(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    """The letter, from the records alone: an agent's words are in no letter that nobody has read."""
    customer = records["customer"]
    assert isinstance(customer, Customer)
    body = f"Hello {customer.name},\n\nthank you for your message. We look after it.\n\nYour support team"
    return {"letter": Letter(template="sample.received", body=body)}


# Who looks at it: what the agent answers, and the playbook that stands in where no model is configured.


class Reading(Output):
    """What a message is about."""

    urgent: bool = Field(description="Whether somebody should read it before anything is answered.")
    summary: Annotated[Words, Field(max_length=300)] = Field(description="The message in one sentence.")


def playbook(view: Json) -> Reading:
    """Urgent is what has never arrived, or was charged twice."""
    text = view["ticket"]["body"]
    urgent = any(sign in text for sign in ("never arrived", "charged twice"))
    return Reading(urgent=urgent, summary=text[:300], confidence_percent=90, evidence=["ticket"])


# What may be done: one action, each argument by reference to a record, and the facts its rules read.


def propose_letter(_state: CaseState, context: Context) -> Proposal:
    """The letter to the ticket's customer."""
    return Proposal(
        case_id=context.case_id,
        step="answer",
        revision=1,
        tool="tickets.reply",
        tool_version=context.registry.describe("tickets.reply").version,
        arguments={
            "ticket_id": Ref("ticket.ticket_id"),
            "customer_id": Ref("customer.customer_id"),
            "template": Ref("letter.template"),
            "body": Ref("letter.body"),
        },
        proposer="rule:answer",
        reason="The customer has written and is told that somebody looks after it.",
        evidence=("ticket",),
    )


class LetterFacts(Facts):
    """What the rules may read; `rules.yaml` names nothing else."""

    ticket_status: Literal["open", "pending", "closed"]
    urgent: bool
    confidence_percent: Percent


def gather(records: Records, _proposal: Proposal, _arguments: Json, now: datetime) -> dict[str, Fact]:
    """Each fact with where it comes from, and how far that is to be trusted."""
    ticket, reading = records["ticket"], records[READER]
    assert isinstance(ticket, Ticket)
    assert isinstance(reading, Reading)
    return {
        "ticket_status": Fact(value=str(ticket.status), source="ticket.status", trust=Trust.RECORD, at=now),
        "urgent": Fact(value=reading.urgent, source=f"{READER}.urgent", trust=Trust.MODEL, at=now),
        "confidence_percent": Fact(
            value=reading.confidence_percent,
            source=f"{READER}.confidence_percent",
            trust=Trust.MODEL,
            at=now,
        ),
    }


# The story, from top to bottom.


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()
    flow.step("retrieve", retrieve, {"ready": "read", "rejected": "rejected"})
    flow.step("read", ask(READER), {"ready": "answer", "blocked": "blocked"}, otherwise="uncertain")
    flow.step("answer", propose(propose_letter), {"ready": "judge_send"}, otherwise="uncertain")
    flow.deed("send", "tickets.reply", then="closed")  # judge_send, gate_send, send, settle_send
    return flow.built()


KIT = Kit(
    package="graphs.scaffold.sample",
    name="sample",
    version="1",
    event_type="com.example.sample.requested",
    event=Request,
    title=lambda event: f"Message {event.ticket_id}",
    sources=SOURCES,
    scope=SCOPE,
    derive=derive,
    derived={"letter": Letter},
    judged=(
        Judged(
            tool="tickets.reply",
            file="rules.yaml",
            facts=LetterFacts,
            gather=gather,
            own={"ticket_id": "ticket.ticket_id", "customer_id": "customer.customer_id"},
            hears=(READER,),
        ),
    ),
    agents={READER: Mind(Reading, playbook)},
    build=build,
)
