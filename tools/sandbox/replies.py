"""Replies: the held outbox of what customers are answered."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from tools.contract import (
    Arguments,
    Call,
    Effect,
    FieldClass,
    Marked,
    Record,
    RecordNotFound,
    Tool,
    ToolRefused,
    Trust,
    Undo,
)
from tools.sandbox.correspondence import HELD
from tools.sandbox.customers import CustomerId
from tools.sandbox.database import Connection, Sandbox, confirmed, exists, one

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
    replies = _Replies(sandbox)
    return (
        Tool(
            name="tickets.reply",
            version="1",
            purpose="Answer a ticket; the reply is held for ten minutes and then sent to its customer.",
            effect=Effect.EGRESS,
            arguments=ReplyToTicket,
            result=Reply,
            perform=replies.reply,
            idempotent=True,
            find=replies.find_reply,
            undo=Undo(tool="tickets.retract_reply", arguments=_reply_id, window=HELD, proven_for="1"),
            authority=frozenset({"ticket_id", "customer_id", "template"}),
        ),
        Tool(
            name="tickets.retract_reply",
            version="1",
            purpose="Take back a reply that is still held.",
            effect=Effect.WRITE,
            arguments=RetractReply,
            result=Reply,
            perform=replies.retract,
            idempotent=True,
            find=replies.find_retraction,
            undone_outside="Somebody answers the ticket again.",
            authority=frozenset({"reply_id"}),
        ),
    )


def _reply_id(_arguments: BaseModel, result: BaseModel) -> Mapping[str, Any]:
    return {"reply_id": Reply.model_validate(result).reply_id}


class _Replies:
    """The deeds themselves, each one transaction that holds its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def reply(self, arguments: ReplyToTicket, call: Call) -> Reply:
        """Queue an answer, once a key, to nobody but the ticket's customer."""
        async with self._sandbox.writing("tickets.reply", call.key) as connection:
            done = await one(connection, Reply, _DONE_UNDER, call.key)
            if done is not None:
                return seen_at(confirmed(done, arguments), self._sandbox.now())
            if not await exists(connection, _THEIRS, arguments.ticket_id, arguments.customer_id):
                raise ToolRefused(f"there is no ticket {arguments.ticket_id} of {arguments.customer_id}")
            return await self._insert(connection, arguments, call.key)

    async def _insert(self, connection: Connection, arguments: ReplyToTicket, key: str) -> Reply:
        now = self._sandbox.now()
        what = (arguments.ticket_id, arguments.customer_id, arguments.template, arguments.body)
        reply = await one(connection, Reply, _INSERT, *what, now, now + HELD, key)
        assert reply is not None  # INSERT … RETURNING answers with its row
        return reply

    async def retract(self, arguments: RetractReply, call: Call) -> Reply:
        """Take an answer back, once, while it is held."""
        async with self._sandbox.writing("tickets.retract_reply", call.key) as connection:
            done = await one(connection, Reply, _RETRACTED_UNDER, call.key)
            if done is not None:
                return confirmed(done, arguments)
            reply = await self._hold_held(connection, arguments.reply_id)
            retracted = await one(connection, Reply, _RETRACT, call.key, reply.reply_id)
            assert retracted is not None  # the row is held
            return retracted

    async def _hold_held(self, connection: Connection, reply_id: str) -> Reply:
        reply = await one(connection, Reply, _HOLD, reply_id)
        if reply is None:
            raise RecordNotFound(f"there is no reply {reply_id}")
        status = seen_at(reply, self._sandbox.now()).status
        if status is not ReplyStatus.QUEUED:
            raise ToolRefused(f"{reply_id} can no longer be taken back: it is {status}")
        return reply

    async def find_reply(self, key: str) -> Reply | None:
        """The reply queued under a key."""
        async with self._sandbox.finding("tickets.reply", key) as connection:
            reply = await one(connection, Reply, _DONE_UNDER, key)
        return reply and seen_at(reply, self._sandbox.now())

    async def find_retraction(self, key: str) -> Reply | None:
        """The reply that was taken back under a key."""
        async with self._sandbox.finding("tickets.retract_reply", key) as connection:
            return await one(connection, Reply, _RETRACTED_UNDER, key)
