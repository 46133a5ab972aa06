"""The outbox: events that somebody outside is to be told of, and what became of each telling."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from psycopg.rows import dict_row
from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from checkpoints import record_schema
from checkpoints.audit import Event
from checkpoints.database import Transaction
from checkpoints.errors import DeliveryNotDead, DeliveryNotFound
from checkpoints.pages import Page, keyset

_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('countersign outbox', 0)) AS mine"
_NEXT = """
SELECT o.seq, e.id, e.case_id, e.kind, e.actor, e.at, e.data
FROM outbox o JOIN audit_events e ON e.seq = o.seq WHERE o.seq > %s ORDER BY o.seq LIMIT 1
"""
_DONE_WITH = "DELETE FROM outbox WHERE seq = %s"
_DONE_WITH_ALL = "DELETE FROM outbox"
_TOLD = "SELECT id, case_id, kind, actor, at, data FROM audit_events WHERE id = %s"


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One event, told to one recipient over one channel; the row holds neither words nor addresses.

    Attributes:
        recipient: an actor such as `person:lee`, or the channel's own name if it is told as a whole.
        attempts: how often sending has begun; a sender that was killed had begun too.
        next_at: when it is due; while somebody is sending it, when others may take it over.
        error: why the last attempt failed, or why it was skipped.
    """

    id: str
    event_id: str
    case_id: str | None
    review_id: str | None
    kind: str
    channel: str
    recipient: str
    state: DeliveryState
    attempts: int = 0
    next_at: datetime
    created_at: datetime
    ended_at: datetime | None = None
    error: str | None = None


_COLUMNS = [record_schema.deliveries.c[name] for name in Delivery.__dataclass_fields__]


def delivery_id(event_id: str, channel: str, recipient: str) -> str:
    """The id that a delivery has however often it is made or sent."""
    return str(uuid5(NAMESPACE_OID, f"notice/{event_id}/{channel}/{recipient}"))


async def next_event(tx: Transaction, after: int) -> tuple[int, Event] | None:
    """The next event in the outbox and its place, held until the transaction ends.

    One transaction at a time deals events out, so that what it counts before it adds is all there is; None if
    there is nothing after this place, or another transaction is at it.
    """
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        alone = await (await cursor.execute(_ALONE)).fetchone()
        if alone is None or not alone["mine"]:
            return None
        row = await (await cursor.execute(_NEXT, (after,))).fetchone()
    return None if row is None else (row.pop("seq"), Event(**row))


async def done_with(tx: Transaction, seq: int | None = None) -> int:
    """Take an event out of the outbox, or all that are in it; returns how many there were."""
    statement, values = (_DONE_WITH_ALL, ()) if seq is None else (_DONE_WITH, (seq,))
    return (await tx.driver.execute(statement, values)).rowcount


async def told_event(tx: Transaction, event_id: str) -> Event:
    """The event that a delivery tells."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_TOLD, (event_id,))).fetchone()
    assert row is not None, "events are never removed"
    return Event(**row)


async def add_deliveries(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
    """Add deliveries; one that is there already is left as it is."""
    if deliveries:
        values = [
            {name: getattr(delivery, name) for name in Delivery.__dataclass_fields__}
            for delivery in deliveries
        ]
        await tx.sql.execute(insert(record_schema.deliveries).values(values).on_conflict_do_nothing())


async def deliveries_since(
    tx: Transaction, *, kind: str, channel: str, recipient: str, since: datetime
) -> list[Delivery]:
    """What a recipient has been told of a kind since some moment, or is being told."""
    d = record_schema.deliveries.c
    query = select(*_COLUMNS).where(
        d.recipient == recipient,
        d.created_at > since,
        d.channel == channel,
        d.kind == kind,
        d.state.in_((DeliveryState.PENDING, DeliveryState.SENT)),
    )
    return [_delivery(row) for row in (await tx.sql.execute(query)).all()]


async def claim_due(
    tx: Transaction, channel: str, *, now: datetime, until: datetime, limit: int
) -> list[Delivery]:
    """Take what is due on a channel for oneself until some moment; nobody else gets it before."""
    d = record_schema.deliveries.c
    due = (
        select(d.id)
        .where(d.state == DeliveryState.PENDING, d.channel == channel, d.next_at <= now)
        .order_by(d.next_at, d.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = update(record_schema.deliveries).where(d.id == due.c.id)
    query = taken.values(attempts=d.attempts + 1, next_at=until).returning(*_COLUMNS)
    return [_delivery(row) for row in (await tx.sql.execute(query)).all()]


async def end_delivery(
    tx: Transaction, claimed: Delivery, state: DeliveryState, at: datetime, error: str | None = None
) -> bool:
    """Write down how a claimed delivery ended; False if somebody else has taken it over."""
    return await _settle(tx, claimed, state=state, ended_at=at, error=error)


async def put_off(tx: Transaction, claimed: Delivery, next_at: datetime, error: str) -> bool:
    """Let a claimed delivery be tried again at some moment; False if somebody else has taken it over."""
    return await _settle(tx, claimed, next_at=next_at, error=error)


async def _settle(tx: Transaction, claimed: Delivery, **values: Any) -> bool:
    d = record_schema.deliveries.c
    own = (d.id == claimed.id, d.state == DeliveryState.PENDING, d.next_at == claimed.next_at)
    query = update(record_schema.deliveries).where(*own, d.attempts == claimed.attempts)
    return (await tx.sql.execute(query.values(**values).returning(d.id))).first() is not None


async def revive(tx: Transaction, wanted: str, at: datetime) -> Delivery:
    """Let a dead delivery be tried from the beginning; raises DeliveryNotFound or DeliveryNotDead."""
    d = record_schema.deliveries.c
    query = update(record_schema.deliveries).where(d.id == wanted, d.state == DeliveryState.DEAD)
    fresh = {"state": DeliveryState.PENDING, "attempts": 0, "next_at": at, "ended_at": None, "error": None}
    row = (await tx.sql.execute(query.values(fresh).returning(*_COLUMNS))).first()
    if row is None:
        known = await get_delivery(tx, wanted)
        raise DeliveryNotDead(f"the notice is {known.state}; only one that was given up is tried again")
    return _delivery(row)


async def get_delivery(tx: Transaction, wanted: str) -> Delivery:
    """The delivery with this id; raises DeliveryNotFound."""
    row = (await tx.sql.execute(select(*_COLUMNS).where(record_schema.deliveries.c.id == wanted))).first()
    if row is None:
        raise DeliveryNotFound(f"there is no notice {wanted}")
    return _delivery(row)


async def list_deliveries(
    tx: Transaction, *, limit: int, after: str | None = None, state: DeliveryState | None = None
) -> Page[Delivery]:
    """A page of deliveries, newest first; raises UnknownCursor."""
    d = record_schema.deliveries.c
    query = select(*_COLUMNS)
    if state is not None:
        query = query.where(d.state == state)
    rows = (await tx.sql.execute(keyset(query, d.created_at, d.id, after, limit))).all()
    return Page.of([_delivery(row) for row in rows], limit, lambda one: (one.created_at, one.id))


def _delivery(row: Row[Any]) -> Delivery:
    values = row._asdict()
    return Delivery(**values | {"state": DeliveryState(values["state"])})
