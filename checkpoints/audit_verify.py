"""Verifying the log in the database: every leaf, head, node and recorded anchor, from the events on."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row

from checkpoints.audit_tree import FAN_OUT
from checkpoints.canonical import NotCanonical
from checkpoints.event import Event
from checkpoints.log_check import Anchored, Check, Head, Verification
from checkpoints.merkle import Frontier
from checkpoints.notes import NoteUnfit, VerifierKey, read_note

_HEADS = "SELECT size, root, peaks, at, note FROM audit_heads ORDER BY size"
_NODES = "SELECT level, index, hash FROM audit_nodes ORDER BY level, index"
_ANCHORS = "SELECT anchor, size, note FROM audit_anchors ORDER BY size, anchor"
_EVENTS = "SELECT count(*) AS events FROM audit_events"
IN_TREE_ORDER = """
SELECT l.index, l.leaf AS tree_leaf, e.seq, e.id, e.case_id, e.kind, e.actor, e.at, e.data, e.leaf
FROM audit_leaves l LEFT JOIN audit_events e ON e.seq = l.seq ORDER BY l.index
"""
_OUTSIDE = """
SELECT count(*) AS lost FROM audit_events e
WHERE NOT EXISTS (SELECT 1 FROM audit_leaves l WHERE l.seq = e.seq)
  AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.seq = e.seq)
"""
_FIELDS = ("id", "case_id", "kind", "actor", "at", "data")


async def verify_log(
    connection: AsyncConnection[Any], keys: Sequence[VerifierKey] | None, anchored: Iterable[Anchored] = ()
) -> Verification:
    """Recompute every leaf, node and head from the events themselves; says what is wrong and where.

    Keys of None leave signatures, and with them the recorded anchors, unchecked.
    """
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        recorded, faults = await _recorded(cursor, keys)
        check = Check(await _heads(cursor), keys, [*recorded, *anchored])
        nodes = _Nodes(await _all(cursor, _NODES))
        ((lost,), (told,)) = await _all(cursor, _OUTSIDE), await _all(cursor, _EVENTS)
        if lost["lost"]:
            check.faults.append(f"{lost['lost']} events are neither in the tree nor waiting for it")
        check.faults += faults
        async for row in in_tree_order(connection):
            event = None if row["seq"] is None else event_of(row)
            check.faults += _leaf_faults(row, event, check.frontier.size)
            leaf = bytes(row["tree_leaf"])
            check.add(leaf, event)
            check.faults += nodes.add(leaf)
        check.faults += nodes.end()
        return check.end(told["events"])


async def in_tree_order(connection: AsyncConnection[Any]) -> AsyncIterator[DictRow]:
    """Every leaf with its event, whose columns are null if it is gone; inside a transaction, row by row."""
    async with connection.cursor("audit_reader", row_factory=dict_row) as cursor:
        await cursor.execute(IN_TREE_ORDER)
        async for row in cursor:
            yield row


def event_of(row: DictRow) -> Event:
    """The event of a row."""
    return Event(**{name: row[name] for name in _FIELDS})


def head_of(row: DictRow) -> Head:
    """The head of a row."""
    peaks = bytes(row["peaks"])
    return Head(size=row["size"], root=bytes(row["root"]), at=row["at"], note=row["note"], peaks=peaks)


async def _all(cursor: AsyncCursor[DictRow], query: str) -> list[DictRow]:
    return await (await cursor.execute(query)).fetchall()


async def _heads(cursor: AsyncCursor[DictRow]) -> list[Head]:
    return [head_of(row) for row in await _all(cursor, _HEADS)]


async def _recorded(
    cursor: AsyncCursor[DictRow], keys: Sequence[VerifierKey] | None
) -> tuple[list[Anchored], list[str]]:
    """The heads that are on record as anchored, and what is wrong with those records."""
    found: list[Anchored] = []
    faults: list[str] = []
    for row in [] if keys is None else await _all(cursor, _ANCHORS):
        where = f"what was anchored at {row['anchor']}"
        try:
            head = read_note(row["note"], keys or ())
        except NoteUnfit as error:
            faults.append(f"{where} for size {row['size']} cannot be trusted: {error}")
            continue
        if head.size != row["size"]:
            faults.append(f"{where} for size {row['size']} is for {head.size}")
        found.append(Anchored(where=where, head=head))
    return found, faults


def _leaf_faults(row: DictRow, event: Event | None, expected: int) -> list[str]:
    if row["index"] != expected:
        return [f"leaf {expected} is missing: the next one is {row['index']}"]
    if event is None:
        return [f"the event of leaf {row['index']} is gone"]
    try:
        told = event.leaf
    except NotCanonical:  # nothing like it was ever written: a number that JSON cannot hold exactly, say
        told = b""
    if told != bytes(row["leaf"]) or told != bytes(row["tree_leaf"]):
        return [f"event {row['seq']} ({event.kind}) was altered: leaf {row['index']} does not match it"]
    return []


class _Nodes:
    """Holds stored nodes against the leaves. Those at a level's end may be lacking: growing adds them."""

    def __init__(self, rows: Iterable[DictRow]) -> None:
        self._stored = {(row["level"], row["index"]): bytes(row["hash"]) for row in rows}
        self._last = dict(self._stored.keys())  # rows come in order
        self._open: list[Frontier] = []
        self._done: list[int] = []

    def add(self, leaf: bytes) -> list[str]:
        """What is wrong with the nodes that this leaf completes."""
        faults: list[str] = []
        level, below = 1, leaf
        while True:
            if len(self._open) < level:
                self._open.append(Frontier())
                self._done.append(0)
            self._open[level - 1] = grown = self._open[level - 1].append(below)
            if grown.size < FAN_OUT:
                return faults
            faults += self._held(level, self._done[level - 1], grown.root)
            self._open[level - 1] = Frontier()
            self._done[level - 1] += 1
            level, below = level + 1, grown.root

    def _held(self, level: int, index: int, right: bytes) -> list[str]:
        stored = self._stored.pop((level, index), None)
        if stored is None and index < self._last.get(level, 0):
            return [f"node {index} of level {level} is missing"]
        if stored is not None and stored != right:
            return [f"node {index} of level {level} is not the root of its leaves"]
        return []

    def end(self) -> list[str]:
        """Nodes over leaves that are not there."""
        return [f"node {index} of level {level} has no leaves" for level, index in sorted(self._stored)]
