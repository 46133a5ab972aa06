"""Product events: deliveries, delays, damages and faults of what a customer has bought."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, Tool, Trust
from tools.sandbox.customers import CustomerId
from tools.sandbox.database import Sandbox, many


class EventKind(StrEnum):
    """What was reported."""

    DISPATCHED = "dispatched"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    DAMAGED = "damaged"
    LOST = "lost"
    FAULT = "fault"


class ProductEvent(Record):
    """One report about an order.

    Attributes:
        expected_at: of a delay, when it shall arrive now; None if nobody knows.
        note: whatever carrier or device wrote.
    """

    event_id: str
    customer_id: str
    order_id: str
    kind: EventKind
    happened_at: datetime
    expected_at: datetime | None
    note: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]


class CustomerEvents(Record):
    """What was reported of a customer's orders, the newest first; of very much the newest two hundred."""

    customer_id: str
    events: tuple[ProductEvent, ...] = ()


class ListEvents(Arguments):
    """Of whose orders to list the events."""

    customer_id: CustomerId


_OF_CUSTOMER = """
    SELECT {columns} FROM product_events WHERE customer_id = %s
    ORDER BY happened_at DESC, event_id DESC LIMIT 200
"""


def product_events_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tool of the event feed; nothing is ever written to it from here."""

    async def of_customer(arguments: ListEvents, _call: Call) -> CustomerEvents:
        async with sandbox.reading() as connection:
            events = await many(connection, ProductEvent, _OF_CUSTOMER, arguments.customer_id)
        return CustomerEvents(customer_id=arguments.customer_id, events=tuple(events))

    return (
        Tool(
            name="product_events.of_customer",
            version="1",
            purpose="List what was reported of a customer's orders: deliveries, delays, damages and faults.",
            effect=Effect.READ,
            arguments=ListEvents,
            result=CustomerEvents,
            perform=of_customer,
            idempotent=True,
        ),
    )
