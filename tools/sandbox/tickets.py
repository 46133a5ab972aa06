"""Tickets: what customers write, and what they were answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, RecordNotFound, Tool, Trust
from tools.sandbox.customers import CustomerId
from tools.sandbox.database import Sandbox, many, one
from tools.sandbox.replies import Reply, TicketId, replies_tools, seen_at

__all__ = [
    "CustomerTickets",
    "GetTicket",
    "ListTickets",
    "Reply",
    "Ticket",
    "TicketId",
    "TicketStatus",
    "tickets_tools",
]


class TicketStatus(StrEnum):
    """Whether a ticket waits for somebody."""

    OPEN = "open"
    PENDING = "pending"
    CLOSED = "closed"


class Ticket(Record):
    """A customer's words; the order is the one they claim, and may be somebody else's."""

    ticket_id: str
    customer_id: str
    order_id: str | None
    subject: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    body: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    status: TicketStatus
    created_at: datetime
    replies: tuple[Reply, ...] = ()


class EarlierTicket(Record):
    """A ticket as a list shows it: without its text."""

    ticket_id: str
    customer_id: str
    order_id: str | None
    subject: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    status: TicketStatus
    created_at: datetime


class CustomerTickets(Record):
    """What a customer has written so far, the newest first; of very many the newest hundred."""

    customer_id: str
    tickets: tuple[EarlierTicket, ...] = ()


class GetTicket(Arguments):
    """Which ticket to get."""

    ticket_id: TicketId


class ListTickets(Arguments):
    """Whose tickets to list."""

    customer_id: CustomerId


_GET = """
    SELECT ticket_id, customer_id, order_id, subject, body, status, created_at
    FROM tickets WHERE ticket_id = %s
"""
_OF_CUSTOMER = """
    SELECT {columns} FROM tickets WHERE customer_id = %s ORDER BY created_at DESC, ticket_id DESC LIMIT 100
"""
_REPLIES = "SELECT {columns} FROM ticket_replies WHERE ticket_id = %s ORDER BY created_at, reply_id"


def tickets_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the help desk."""

    async def get(arguments: GetTicket, _call: Call) -> Ticket:
        async with sandbox.reading() as connection:
            ticket = await one(connection, Ticket, _GET, arguments.ticket_id)
            replies = await many(connection, Reply, _REPLIES, arguments.ticket_id)
        if ticket is None:
            raise RecordNotFound(f"there is no ticket {arguments.ticket_id}")
        seen = tuple(seen_at(reply, sandbox.now()) for reply in replies)
        return ticket.model_copy(update={"replies": seen})

    async def of_customer(arguments: ListTickets, _call: Call) -> CustomerTickets:
        async with sandbox.reading() as connection:
            tickets = await many(connection, EarlierTicket, _OF_CUSTOMER, arguments.customer_id)
        return CustomerTickets(customer_id=arguments.customer_id, tickets=tuple(tickets))

    return (
        Tool(
            name="tickets.get",
            version="1",
            purpose="Get a ticket: who wrote it, what it says, which order it names, and the replies.",
            effect=Effect.READ,
            arguments=GetTicket,
            result=Ticket,
            perform=get,
            idempotent=True,
        ),
        Tool(
            name="tickets.of_customer",
            version="1",
            purpose="List a customer's tickets: order, subject and status, the newest first.",
            effect=Effect.READ,
            arguments=ListTickets,
            result=CustomerTickets,
            perform=of_customer,
            idempotent=True,
        ),
        *replies_tools(sandbox),
    )
