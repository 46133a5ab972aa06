"""What the rules about a reply may read, each fact from the records or from what agents said on the log."""

from datetime import datetime
from typing import Any, Literal

from graphs.triage.agents import Category, Classification, Resolution, Risk, Urgency
from graphs.triage.answers import Answer, answer_of
from graphs.triage.subject import Matter
from nodes.action import Proposal
from nodes.agent import Percent
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.contract import Trust
from tools.sandbox.customers import Customer
from tools.sandbox.tickets import Ticket


class ReplyFacts(Facts):
    """What the reply rules may read.

    Attributes:
        words: whose the answer's words are: the records' own, a model's, or a person's.
        gold_in_trouble: something has gone wrong with the order of a gold customer.
        alarming: the ticket has words on which a person looks at it, whatever the classifier makes of it.
    """

    ticket_status: Literal["open", "pending", "closed"]
    customer_status: Literal["active", "closed"]
    category: Category
    urgency: Urgency
    risk: Risk
    alarming: bool
    gold_in_trouble: bool
    answered: bool
    template: str
    words: Literal["record", "model", "person"]
    confidence_percent: Percent


def reply_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """The facts of a reply; what agents said has the trust of a model: it is a reason to ask people."""
    ticket, customer, matter = records["ticket"], records["customer"], records["matter"]
    found, resolution = records["classifier"], records["resolver"]
    assert isinstance(ticket, Ticket)
    assert isinstance(customer, Customer)
    assert isinstance(matter, Matter)
    assert isinstance(found, Classification)
    assert isinstance(resolution, Resolution)

    def fact(value: Any, source: str, trust: Trust = Trust.RECORD) -> Fact:
        return Fact(value=value, source=source, trust=trust, at=now)

    sure = min(found.confidence_percent, resolution.confidence_percent)
    gold_in_trouble = customer.tier == "gold" and matter.in_trouble
    return {
        "ticket_status": fact(str(ticket.status), "ticket.status"),
        "customer_status": fact(str(customer.status), "customer.status"),
        "category": fact(found.category, "classifier.category", Trust.MODEL),
        "urgency": fact(found.urgency, "classifier.urgency", Trust.MODEL),
        "risk": fact(found.risk, "classifier.risk", Trust.MODEL),
        "alarming": fact(matter.alarming, "matter.alarming"),
        "gold_in_trouble": fact(gold_in_trouble, "matter.in_trouble"),
        "answered": fact(matter.answered, "ticket.replies"),
        "template": fact(arguments["template"], *proposal.source_of("template", records)),
        "words": fact(_words(records, proposal, arguments), *proposal.source_of("body", records)),
        "confidence_percent": fact(sure, "classifier.confidence_percent", Trust.MODEL),
    }


def _words(records: Records, proposal: Proposal, arguments: Json) -> str:
    """Whose words the answer is: the records' only if it is, letter by letter, what its template says now."""
    _, trust = proposal.source_of("body", records)
    if trust is Trust.PERSON:
        return "person"
    answer = records.get(answer_of(arguments["template"]))
    by_record = isinstance(answer, Answer) and answer.body == arguments["body"]
    return "record" if by_record and trust is Trust.RECORD else "model"
