"""Tickets: what customers write, and what they were answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, RecordNotFound, Tool, Trust
from tools.sandbox.database import Sandbox, many, one
from tools.sandbox.replies import Reply, TicketId, replies_tools, seen_at

__all__ = ["GetTicket", "Reply", "Ticket", "TicketId", "TicketStatus", "tickets_tools"]


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


class GetTicket(Arguments):
    """Which ticket to get."""

    ticket_id: TicketId


_GET = """
    SELECT ticket_id, customer_id, order_id, subject, body, status, created_at
    FROM tickets WHERE ticket_id = %s
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
        *replies_tools(sandbox),
    )
