"""Answers: our own words about what is on record. No word of a ticket, a feed or a model is in them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel

from graphs.triage.subject import Matter, disagree, matter, overdue, own_order, reported
from nodes.records import Records
from tools.contract import FieldClass, Marked, Record
from tools.sandbox.orders import Order, OrderStatus
from tools.sandbox.product_events.events import EventKind

BY_HAND = "written_by_hand"
_LETTER = "Hello,\n\n{says}\n\nYour support team"
_DAY = "%d %B %Y"


class Answer(Record):
    """An answer that the records give: which template, and the words that it comes to."""

    template: str
    body: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]


class Draft(Record):
    """The template of an answer whose words are somebody's own."""

    template: str = BY_HAND


def order_status(records: Records, now: datetime) -> str | None:
    """Where the order is; nothing if order and feed disagree, or nobody would believe it."""
    order = own_order(records)
    if order is None or overdue(order, now) or disagree(order, reported(records, order)):
        return None
    return f"your order {order.order_id} of {order.ordered_at.strftime(_DAY)} {_stands(order)}"


def delivery_delay(records: Records, now: datetime) -> str | None:
    """That the order is late and when it comes; nothing unless the newest report is a delay with a date."""
    order = own_order(records)
    events = reported(records, order)
    if order is None or not events or order.status is not OrderStatus.SHIPPED or overdue(order, now):
        return None
    newest = events[0]
    if newest.kind is not EventKind.DELAYED or newest.expected_at is None or newest.expected_at <= now:
        return None
    return (
        f"we are sorry: your order {order.order_id} is late. The carrier now expects to deliver it on"
        f" {newest.expected_at.strftime(_DAY)}."
    )


TEMPLATES: Mapping[str, Callable[[Records, datetime], str | None]] = {
    "order_status": order_status,
    "delivery_delay": delivery_delay,
}
"""By name what each template says of the records; None where its facts are not all on record."""


def answer_of(template: str) -> str:
    """The record that holds what a template says."""
    return f"{template}_answer"


def derive(records: Records, now: datetime) -> Mapping[str, BaseModel]:
    """What the ticket is about, and what each of our templates has to say to it."""
    said = {name: says for name, template in TEMPLATES.items() if (says := template(records, now))}
    answers = {
        answer_of(name): Answer(template=name, body=_LETTER.format(says=says)) for name, says in said.items()
    }
    return {"matter": matter(records, tuple(sorted(said)), now), "by_hand": Draft(), **answers}


DERIVED: Mapping[str, type[BaseModel]] = {
    "matter": Matter,
    "by_hand": Draft,
    **{answer_of(name): Answer for name in TEMPLATES},
}
"""What each derived record is."""


def _stands(order: Order) -> str:
    match order.status:
        case OrderStatus.PLACED:
            return "is being packed and will be sent soon."
        case OrderStatus.SHIPPED:
            return "is on its way to you."
        case OrderStatus.CANCELLED:
            return "was cancelled and will not be sent."
        case OrderStatus.DELIVERED:
            assert order.delivered_at is not None, "a delivered order says when"
            return f"was delivered on {order.delivered_at.strftime(_DAY)}."
