"""The audit log: events are only ever added, and a Merkle tree is grown behind them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from checkpoints.canonical import NotCanonical, canonical
from checkpoints.database import Transaction
from checkpoints.merkle import Frontier, leaf_hash

_APPEND = """
WITH told AS (
    INSERT INTO audit_events (id, case_id, kind, actor, at, data, leaf)
    SELECT id, case_id, kind, actor, at, data, leaf
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::jsonb[], %s::bytea[])
         WITH ORDINALITY AS event (id, case_id, kind, actor, at, data, leaf, place)
    ORDER BY place
    ON CONFLICT (id) DO NOTHING RETURNING seq, kind
), waiting AS (
    INSERT INTO audit_pending (seq) SELECT seq FROM told
)
INSERT INTO outbox (seq) SELECT seq FROM told WHERE kind = ANY(%s::text[])
"""
_SEQUENCER = "SELECT pg_try_advisory_xact_lock(hashtextextended('countersign audit sequencer', 0)) AS mine"
_TAKE = """
WITH taken AS (
    DELETE FROM audit_pending WHERE seq IN (SELECT seq FROM audit_pending ORDER BY seq LIMIT %s) RETURNING seq
)
SELECT seq, leaf FROM audit_events WHERE seq IN (SELECT seq FROM taken) ORDER BY seq
"""
_HEAD = "SELECT size, peaks FROM audit_heads ORDER BY size DESC LIMIT 1"
_ADD_LEAVES = """
INSERT INTO audit_leaves (index, seq, leaf)
SELECT %s + place - 1, seq, leaf
FROM unnest(%s::bigint[], %s::bytea[]) WITH ORDINALITY AS added (seq, leaf, place)
"""
_ADD_HEAD = "INSERT INTO audit_heads (size, root, peaks, at) VALUES (%s, %s, %s, %s)"
_IN_TREE_ORDER = """
SELECT l.index, l.leaf AS tree_leaf, e.seq, e.id, e.case_id, e.kind, e.actor, e.at, e.data, e.leaf
FROM audit_leaves l LEFT JOIN audit_events e ON e.seq = l.seq ORDER BY l.index
"""
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
_OUTSIDE = """
SELECT count(*) AS lost FROM audit_events e
WHERE NOT EXISTS (SELECT 1 FROM audit_leaves l WHERE l.seq = e.seq)
  AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.seq = e.seq)
"""
_BATCH = 1000
_HASH_BYTES = 32

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened: who, what, when, on which case; ids make a repeated telling harmless."""

    id: str
    case_id: str | None
    kind: str
    actor: str
    at: datetime
    data: dict[str, Any]

    @property
    def entry(self) -> bytes:
        """The bytes whose hash is the leaf: RFC 8785 of all fields, the time in UTC."""
        return canonical(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """JSON-shaped, as it travels through graph state."""
        return {
            "id": self.id,
            "case_id": self.case_id,
            "kind": self.kind,
            "actor": self.actor,
            "at": self.at.astimezone(UTC).isoformat(),
            "data": self.data,
        }

    @classmethod
    def from_json(cls, item: dict[str, Any]) -> Self:
        """The event that `to_json` made."""
        return cls(**item | {"at": datetime.fromisoformat(item["at"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a reading of the whole log found; `faults` is empty when it holds."""

    events: int
    size: int
    root: str
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.faults


async def append_events(cursor: AsyncCursor[DictRow], events: Sequence[Event]) -> None:
    """Add events in the cursor's transaction; an event already told is left as it is.

    Those of a kind in NOTIFIED are put into the outbox with it, so that no caller can forget to.
    """
    if not events:
        return
    columns = zip(
        *((e.id, e.case_id, e.kind, e.actor, e.at, Jsonb(e.data), leaf_hash(e.entry)) for e in events),
        strict=True,
    )
    await cursor.execute(_APPEND, [*(list(column) for column in columns), list(NOTIFIED)])


async def tell(tx: Transaction, *events: Event) -> None:
    """Add events in a use case's transaction."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await append_events(cursor, events)


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


async def grow_tree(connection: AsyncConnection[Any], clock: Callable[[], datetime]) -> int:
    """Move waiting events into the tree, one sequencer at a time; returns how many leaves were added."""
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SEQUENCER)
        row = await cursor.fetchone()
        if row is None or not row["mine"]:
            return 0
        waiting = await (await cursor.execute(_TAKE, (_BATCH,))).fetchall()
        if waiting:
            await _add_leaves(cursor, waiting, clock())
        return len(waiting)


async def _add_leaves(cursor: AsyncCursor[DictRow], waiting: Sequence[DictRow], at: datetime) -> None:
    head = await (await cursor.execute(_HEAD)).fetchone()
    before = Frontier(head["size"], _split(head["peaks"])) if head else Frontier()
    leaves = [row["leaf"] for row in waiting]
    after = before.extend(leaves)
    await cursor.execute(_ADD_LEAVES, (before.size, [row["seq"] for row in waiting], leaves))
    await cursor.execute(_ADD_HEAD, (after.size, after.root, b"".join(after.peaks), at))


def _split(peaks: bytes) -> tuple[bytes, ...]:
    return tuple(peaks[at : at + _HASH_BYTES] for at in range(0, len(peaks), _HASH_BYTES))


async def verify_log(connection: AsyncConnection[Any]) -> Verification:
    """Recompute every leaf and every head from the events themselves; says what is wrong and where."""
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        heads = {
            row["size"]: (bytes(row["root"]), bytes(row["peaks"]))
            for row in await (await cursor.execute("SELECT size, root, peaks FROM audit_heads")).fetchall()
        }
        newest = max(heads, default=0)
        (lost,) = await (await cursor.execute(_OUTSIDE)).fetchall()
        faults = [f"{lost['lost']} events are neither in the tree nor waiting for it"] if lost["lost"] else []
        frontier = Frontier()
        async for row in _stream(connection):
            faults += _leaf_faults(row, frontier.size)
            frontier = frontier.append(bytes(row["tree_leaf"]))
            head = heads.pop(frontier.size, None)
            if head is not None and head != (frontier.root, b"".join(frontier.peaks)):
                faults.append(f"the head of size {frontier.size} is not the root of its leaves")
        if newest < frontier.size:
            faults.append(f"the tree has {frontier.size} leaves, but its newest head says {newest}")
        faults += [f"the log ends at {frontier.size}, but a head says {size}" for size in sorted(heads)]
        events = await (await cursor.execute("SELECT count(*) AS events FROM audit_events")).fetchone()
    assert events is not None
    return Verification(
        events=events["events"], size=frontier.size, root=frontier.root.hex(), faults=tuple(faults)
    )


async def _stream(connection: AsyncConnection[Any]) -> AsyncIterator[DictRow]:
    async with connection.cursor("audit_reader", row_factory=dict_row) as cursor:
        await cursor.execute(_IN_TREE_ORDER)
        async for row in cursor:
            yield row


def _leaf_faults(row: DictRow, expected: int) -> list[str]:
    if row["index"] != expected:
        return [f"leaf {expected} is missing: the next one is {row['index']}"]
    if row["seq"] is None:
        return [f"the event of leaf {row['index']} is gone"]
    event = Event(**{name: row[name] for name in ("id", "case_id", "kind", "actor", "at", "data")})
    try:
        told = leaf_hash(event.entry)
    except NotCanonical:  # nothing like it was ever written: a number that JSON cannot hold exactly, say
        told = b""
    if told != bytes(row["leaf"]) or told != bytes(row["tree_leaf"]):
        return [f"event {row['seq']} ({event.kind}) was altered: leaf {row['index']} does not match it"]
    return []
