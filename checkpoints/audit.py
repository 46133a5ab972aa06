"""The audit log: events are only ever added. A tree is grown behind them: checkpoints/audit_tree.py."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from checkpoints.database import Transaction
from checkpoints.event import Event
from checkpoints.unit import Statements

__all__ = ["NOTIFIED", "Event", "append_events", "history", "tell", "timeline"]

_APPEND = """
WITH told AS (
    INSERT INTO audit_events (id, case_id, kind, actor, at, data, leaf)
    SELECT id, case_id, kind, actor, at, data, leaf
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %b::jsonb[], %b::bytea[])
         WITH ORDINALITY AS event (id, case_id, kind, actor, at, data, leaf, place)
    ORDER BY place
    ON CONFLICT (id) DO NOTHING RETURNING seq, kind
), waiting AS (
    INSERT INTO audit_pending (seq) SELECT seq FROM told
)
INSERT INTO outbox (seq) SELECT seq FROM told WHERE kind = ANY(%s::text[])
"""
# What has quotes and backslashes goes in binary: escaping them within an array took longer than sending them.
_TIMELINE = """
SELECT seq, id, kind, actor, at, data FROM audit_events
WHERE case_id = %(case_id)s AND seq > %(after)s AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
ORDER BY seq LIMIT %(limit)s
"""
_OF_KINDS = """
SELECT seq, id, case_id, kind, actor, at, data FROM audit_events
WHERE kind = ANY(%s) AND case_id IS NOT NULL ORDER BY seq
"""
_LATEST = """
SELECT seq, id, kind, actor, at, data FROM audit_events
WHERE case_id IS NULL AND kind = ANY(%s) ORDER BY seq DESC LIMIT 1
"""
NOTIFIED = (
    "review.opened",
    "review.reminded",
    "review.escalated",
    "review.passed_on",
    "review.assigned",
    "review.approved",
    "review.rejected",
    "review.expired",
    "review.superseded",
    "review.info_requested",
    "review.info_given",
    "review.info_overdue",
    "review.broken_glass",
)
"""The kinds of events that people and systems outside are told of; their data names a `review`."""


async def append_events(to: Statements, events: Sequence[Event]) -> None:
    """Add events in the transaction of what goes there; an event already told is left as it is.

    Those of a kind in NOTIFIED are put into the outbox with it, so that no caller can forget to.
    """
    if not events:
        return
    columns = zip(
        *((e.id, e.case_id, e.kind, e.actor, e.at, Jsonb(e.data), e.leaf) for e in events),
        strict=True,
    )
    await to.execute(_APPEND, [*(list(column) for column in columns), list(NOTIFIED)])


async def tell(tx: Transaction, *events: Event) -> None:
    """Add events in a use case's transaction."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await append_events(cursor, events)


async def told(tx: Transaction, event_id: str) -> bool:
    """Whether an event is on the record already."""
    cursor = await tx.driver.execute("SELECT 1 FROM audit_events WHERE id = %s", (event_id,))
    return await cursor.fetchone() is not None


async def timeline(
    tx: Transaction, case_id: str, *, limit: int, after: int | None = None, kinds: Sequence[str] | None = None
) -> list[DictRow]:
    """Events of a case, oldest first, after a sequence number; only of these kinds if any are given."""
    wanted = {"case_id": case_id, "after": after or 0, "limit": limit, "kinds": kinds and list(kinds)}
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_TIMELINE, wanted)
        return await cursor.fetchall()


async def latest(tx: Transaction, kinds: Sequence[str]) -> DictRow | None:
    """The last event of these kinds that belongs to no case, if there is one."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(_LATEST, (list(kinds),))).fetchone()


async def history(connection: AsyncConnection[Any], kinds: Sequence[str]) -> AsyncIterator[DictRow]:
    """Every case's events of these kinds, oldest first, however many; one at a time."""
    async with connection.transaction(), connection.cursor("history", row_factory=dict_row) as cursor:
        await cursor.execute(_OF_KINDS, (list(kinds),))
        async for row in cursor:
            yield row
