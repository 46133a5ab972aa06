"""Replies: the held outbox of what customers are answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tools.contract import (
    Arguments,
    Effect,
    FieldClass,
    Marked,
    Record,
    Tool,
    ToolRefused,
    Trust,
    Undo,
)
from tools.sandbox.correspondence import HELD
from tools.sandbox.customers import CustomerId
from tools.sandbox.database import Connection, Sandbox, exists
from tools.sandbox.deeds import Deed, of_result, there, written

TicketId = Annotated[str, Field(pattern=r"^T-[0-9]{6}$", max_length=8)]
ReplyId = Annotated[str, Field(pattern=r"^Y-[0-9]{6,12}$", max_length=14)]
TemplateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$", max_length=64)]
# without NUL, which Postgres cannot hold; a pattern also refuses lone surrogates, which UTF-8 cannot
ReplyText = Annotated[str, Field(pattern=r"^[^\x00]+$", min_length=1, max_length=4000)]


class ReplyStatus(StrEnum):
    """Whether a reply is held, has left the house, or was taken back in time."""

    QUEUED = "queued"
    SENT = "sent"
    RETRACTED = "retracted"


class Reply(Record):
    """An answer to a ticket's customer; it leaves the house at `send_after`."""

    reply_id: str
    ticket_id: str
    customer_id: str
    template: str
    body: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.MODEL)]
    status: ReplyStatus
    created_at: datetime
    send_after: datetime


class ReplyToTicket(Arguments):
    """What to answer, to whose ticket."""

    ticket_id: TicketId
    customer_id: CustomerId
    template: TemplateName
    body: Annotated[ReplyText, Marked(field_class=FieldClass.PERSONAL, trust=Trust.MODEL)]


class RetractReply(Arguments):
    """Which reply to take back."""

    reply_id: ReplyId


_DONE_UNDER = "SELECT {columns} FROM ticket_replies WHERE idempotency_key = %s"
_RETRACTED_UNDER = "SELECT {columns} FROM ticket_replies WHERE retraction_key = %s"
_THEIRS = "SELECT FROM tickets WHERE ticket_id = %s AND customer_id = %s"
_INSERT = """
    INSERT INTO ticket_replies (ticket_id, customer_id, template, body, status, created_at, send_after,
                                idempotency_key)
    VALUES (%s, %s, %s, %s, 'queued', %s, %s, %s) RETURNING {columns}
"""
_HOLD = "SELECT {columns} FROM ticket_replies WHERE reply_id = %s FOR UPDATE"
_RETRACT = """
    UPDATE ticket_replies SET status = 'retracted', retraction_key = %s
    WHERE reply_id = %s RETURNING {columns}
"""


def seen_at(reply: Reply, now: datetime) -> Reply:
    """The reply as it is at `now`: what is still queued after its hold has been sent."""
    if reply.status is ReplyStatus.QUEUED and reply.send_after <= now:
        return reply.model_copy(update={"status": ReplyStatus.SENT})
    return reply


def replies_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The two tools of the outbox."""
    doing = _Doing(sandbox)
    replying = Deed(
        sandbox=sandbox,
        name="tickets.reply",
        result=Reply,
        done_under=_DONE_UNDER,
        write=doing.reply,
        seen=doing.seen,
    )
    retracting = Deed(
        sandbox=sandbox,
        name="tickets.retract_reply",
        result=Reply,
        done_under=_RETRACTED_UNDER,
        write=doing.retract,
    )
    return (
        Tool(
            name="tickets.reply",
            version="1",
            purpose="Answer a ticket; the reply is held for ten minutes and then sent to its customer.",
            effect=Effect.EGRESS,
            arguments=ReplyToTicket,
            result=Reply,
            perform=replying.perform,
            idempotent=True,
            find=replying.find,
            undo=Undo(
                tool="tickets.retract_reply", arguments=of_result("reply_id"), window=HELD, proven_for="1"
            ),
            authority=frozenset({"ticket_id", "customer_id", "template"}),
        ),
        Tool(
            name="tickets.retract_reply",
            version="1",
            purpose="Take back a reply that is still held.",
            effect=Effect.WRITE,
            arguments=RetractReply,
            result=Reply,
            perform=retracting.perform,
            idempotent=True,
            find=retracting.find,
            undone_outside="Somebody answers the ticket again.",
            authority=frozenset({"reply_id"}),
        ),
    )


class _Doing:
    """The deeds themselves, within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def seen(self, reply: Reply) -> Reply:
        """The reply as it is now."""
        return seen_at(reply, self._sandbox.now())

    async def reply(self, connection: Connection, wanted: ReplyToTicket, key: str) -> Reply:
        """Queue an answer to nobody but the ticket's customer."""
        if not await exists(connection, _THEIRS, wanted.ticket_id, wanted.customer_id):
            raise ToolRefused(f"there is no ticket {wanted.ticket_id} of {wanted.customer_id}")
        now = self._sandbox.now()
        what = (wanted.ticket_id, wanted.customer_id, wanted.template, wanted.body)
        return await written(connection, Reply, _INSERT, *what, now, now + HELD, key)

    async def retract(self, connection: Connection, wanted: RetractReply, key: str) -> Reply:
        """Take an answer back while it is held."""
        reply_id = wanted.reply_id
        reply = self.seen(await there(connection, Reply, f"reply {reply_id}", _HOLD, reply_id))
        if reply.status is not ReplyStatus.QUEUED:
            raise ToolRefused(f"{reply_id} can no longer be taken back: it is {reply.status}")
        return await written(connection, Reply, _RETRACT, key, reply_id)
