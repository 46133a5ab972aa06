"""What a ticket is about, as the records have it: whose order, what happened to it, what was asked."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from nodes.records import Records
from nodes.shapes import Json
from nodes.workflow import EventData
from tools.contract import Record
from tools.sandbox.customers import Customer, CustomerId
from tools.sandbox.orders import CustomerOrders, Order, OrderStatus
from tools.sandbox.product_events.events import CustomerEvents, EventKind, ProductEvent
from tools.sandbox.tickets import Ticket, TicketId

_TOO_LONG = timedelta(days=21)
_TROUBLE = frozenset({EventKind.DELAYED, EventKind.DAMAGED, EventKind.LOST, EventKind.FAULT})
_UNDER_WAY = frozenset({OrderStatus.PLACED, OrderStatus.SHIPPED})
_REASONS = {EventKind.DAMAGED: "damaged", EventKind.FAULT: "faulty", EventKind.LOST: "not_received"}
_ALARMING = re.compile(
    r"\b(lawyer|attorney|solicitor|court|sue|police|consumer protection|injur\w*|hospital|burn\w*|fire"
    r"|smok(e|ing)|explo\w*|shock|poison\w*|suicid\w*|allerg\w*|data protection|gdpr|anwalt|gericht|feuer)\b",
    re.IGNORECASE,
)


class TicketReceived(EventData):
    """A ticket that has come in."""

    ticket_id: TicketId
    customer_id: CustomerId


class Matter(Record):
    """What a ticket is about.

    Attributes:
        order_id: the order that it names, if that is the customer's own.
        reason_code: why money would be given back, by what was reported.
        in_trouble: something has gone wrong with the order.
        alarming: the text has words on which a person looks at it, whatever any agent makes of it.
        on_record: the templates whose facts are all on record.
    """

    order_id: str | None
    reason_code: str
    in_trouble: bool
    alarming: bool
    answered: bool
    on_record: tuple[str, ...] = ()


def own_order(records: Records) -> Order | None:
    """The order that the ticket names, if it is among the customer's own."""
    ticket, account = records["ticket"], records["account"]
    assert isinstance(ticket, Ticket)
    assert isinstance(account, CustomerOrders)
    return next((order for order in account.orders if order.order_id == ticket.order_id), None)


def reported(records: Records, order: Order | None) -> list[ProductEvent]:
    """What was reported of an order, the newest first."""
    feed = records["product_events"]
    assert isinstance(feed, CustomerEvents)
    own = [event for event in feed.events if order is not None and event.order_id == order.order_id]
    return sorted(own, key=lambda event: (event.happened_at, event.event_id), reverse=True)


def disagree(order: Order, events: Sequence[ProductEvent]) -> bool:
    """Whether order and feed say different things about where it is."""
    delivered = any(event.kind is EventKind.DELIVERED for event in events)
    return (delivered and order.status is not OrderStatus.DELIVERED) or any(
        event.kind is EventKind.LOST for event in events
    )


def overdue(order: Order, now: datetime) -> bool:
    """Whether an order has been under way for longer than anybody would believe."""
    return order.status in _UNDER_WAY and now - order.ordered_at > _TOO_LONG


def matter(records: Records, on_record: tuple[str, ...], now: datetime) -> Matter:
    """What the ticket is about, by fixed code; its text is only searched for words that alarm."""
    ticket, order = records["ticket"], own_order(records)
    assert isinstance(ticket, Ticket)
    events = reported(records, order)
    wrong = [event.kind for event in events if event.kind in _TROUBLE]
    return Matter(
        order_id=order.order_id if order else None,
        reason_code=next((_REASONS[kind] for kind in wrong if kind in _REASONS), "customer_request"),
        in_trouble=bool(wrong) or (order is not None and (overdue(order, now) or disagree(order, events))),
        alarming=_ALARMING.search(f"{ticket.subject} {ticket.body}") is not None,
        answered=any(reply.status != "retracted" for reply in ticket.replies),
        on_record=on_record,
    )


def refund_request(records: Records) -> Json:
    """The event that hands a ticket over to the refund: nothing in it was written by anybody but records."""
    found, customer, ticket = records["matter"], records["customer"], records["ticket"]
    assert isinstance(found, Matter)
    assert isinstance(customer, Customer)
    assert isinstance(ticket, Ticket)
    return {
        "order_id": found.order_id,
        "customer_id": customer.customer_id,
        "ticket_id": ticket.ticket_id,
        "reason_code": found.reason_code,
    }
