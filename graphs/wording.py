"""The words of a notice: what waits or happened, in which case, about how much, and where to look."""

from datetime import UTC
from typing import Any

from checkpoints.audit import Event
from checkpoints.cases import Case
from checkpoints.outbox import Delivery
from checkpoints.reviews import Review
from nodes.directory import Mailbox
from tools.money import Money
from tools.notices.message import Addressee, Message

HEADLINES = {
    "review.opened": "Waits for a signature",
    "review.reminded": "Still waits for a signature",
    "review.escalated": "Escalated, waits for a signature",
    "review.passed_on": "Signed by others, waits for the next signature",
    "review.assigned": "Assigned",
    "review.approved": "Approved",
    "review.rejected": "Rejected",
    "review.expired": "Expired without a decision",
    "review.superseded": "Withdrawn, something else is proposed",
    "review.info_requested": "Information is asked for",
    "review.info_given": "Information was given",
    "review.info_overdue": "Nobody answered, it is yours again",
    "review.broken_glass": "Decided in an emergency, outside the usual rules",
}


def message_of(
    delivery: Delivery, event: Event, review: Review, case: Case, *, public_url: str, to: Mailbox | None
) -> Message:
    """What a delivery says: names, an amount and the rule, as the rows have them; no evidence, no digest."""
    amount = _amount(review)
    tool = review.action["tool"]
    headline = ": ".join([HEADLINES[event.kind], " ".join(filter(None, [tool, amount]))])
    link = f"{public_url}/reviews/{review.id}"
    return Message(
        id=delivery.id,
        kind=event.kind,
        headline=headline,
        facts=_facts(event, review, case, amount),
        link=link,
        data=_data(event, review) | {"link": link},
        at=event.at,
        to=None if to is None else Addressee(name=to.name, email=to.email),
    )


def _facts(event: Event, review: Review, case: Case, amount: str) -> tuple[tuple[str, str], ...]:
    facts = {
        "Workflow": review.workflow,
        "Case": review.case_id,
        "About": case.title,
        "Action": review.action["tool"],
        "Amount": amount,
        "Needs": ", ".join(_roles(event, review)),
        "Due": f"{review.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "Why": review.shown["verdict"]["says"],
        "By": event.actor,
        "Stands": str(review.status),
    }
    return tuple((label, value) for label, value in facts.items() if value)


def _data(event: Event, review: Review) -> dict[str, Any]:
    money = {"amount_minor": review.amount_minor, "currency": review.currency}
    return {
        "review": review.id,
        "case": review.case_id,
        "workflow": review.workflow,
        "tool": review.action["tool"],
        "amount": money if _amount(review) else None,
        "roles": _roles(event, review),
        "due_at": review.due_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "actor": event.actor,
    }


def _roles(event: Event, review: Review) -> list[str]:
    """The role that the event names, else those that the review asks for."""
    named = event.data.get("to_role")
    return [named] if named else [rung["role"] for rung in review.ladder]


def _amount(review: Review) -> str:
    if review.amount_minor is None or review.currency is None:
        return ""
    return str(Money(amount_minor=review.amount_minor, currency=review.currency))
