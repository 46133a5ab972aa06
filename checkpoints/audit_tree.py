"""Growing the tree behind the events: leaves, signed heads, and the nodes that keep proofs cheap.

All of it is added and never changed. A node of level n is the hash of a complete subtree of 256^n leaves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row

from checkpoints.audit import append_events
from checkpoints.event import SIGNING_BEGAN, Event
from checkpoints.merkle import Frontier, complete_root, split
from checkpoints.notes import Signer

_SEQUENCER = "SELECT pg_try_advisory_xact_lock(hashtextextended('countersign audit sequencer', 0)) AS mine"
_TAKE = """
WITH taken AS (
    DELETE FROM audit_pending WHERE seq IN (SELECT seq FROM audit_pending ORDER BY seq LIMIT %s) RETURNING seq
)
SELECT seq, leaf FROM audit_events WHERE seq IN (SELECT seq FROM taken) ORDER BY seq
"""
_HEAD = "SELECT size, peaks, at, note IS NOT NULL AS signed FROM audit_heads ORDER BY size DESC LIMIT 1"
_ADD_LEAVES = """
INSERT INTO audit_leaves (index, seq, leaf)
SELECT %s + place - 1, seq, leaf
FROM unnest(%s::bigint[], %s::bytea[]) WITH ORDINALITY AS added (seq, leaf, place)
"""
_ADD_HEAD = "INSERT INTO audit_heads (size, root, peaks, at, note) VALUES (%s, %s, %s, %s, %s)"
_STORED = "SELECT coalesce(max(index) + 1, 0) AS nodes FROM audit_nodes WHERE level = %s"
_LEAVES = "SELECT leaf AS hash FROM audit_leaves WHERE index >= %s AND index < %s ORDER BY index"
_NODES = "SELECT hash FROM audit_nodes WHERE level = %s AND index >= %s AND index < %s ORDER BY index"
_ADD_NODES = """
INSERT INTO audit_nodes (level, index, hash)
SELECT %s, %s + place - 1, hash FROM unnest(%s::bytea[]) WITH ORDINALITY AS added (hash, place)
"""
LEVEL_BITS = 8
FAN_OUT = 1 << LEVEL_BITS
"""How many nodes of a level, or leaves, one of the next level is over."""
_BATCH = 1000
_NODES_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grown:
    """The newest head as far as growing needs it."""

    frontier: Frontier
    at: datetime | None
    signed: bool


async def grow_tree(connection: AsyncConnection[Any], clock: Callable[[], datetime], signer: Signer) -> int:
    """Move waiting events into the tree, one sequencer at a time; returns how many leaves were added.

    The head over them is signed in the same transaction. Nodes that trees of before lack are filled in.
    """
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_SEQUENCER)).fetchone()
        if row is None or not row["mine"]:
            return 0
        before = await _newest(cursor)
        size = before.frontier.size
        most: int | None = _BATCH
        if size and not before.signed:
            await _begin_signing(cursor, size, clock(), signer)
            most = None  # so that what was just told comes under the first signed head
        waiting = await (await cursor.execute(_TAKE, (most,))).fetchall()
        if waiting:
            size = await _add_leaves(cursor, before, waiting, clock(), signer)
        await _add_nodes(cursor, size)
        return len(waiting)


async def _newest(cursor: AsyncCursor[DictRow]) -> _Grown:
    head = await (await cursor.execute(_HEAD)).fetchone()
    if head is None:
        return _Grown(frontier=Frontier(), at=None, signed=False)
    peaks = tuple(split(bytes(head["peaks"])))
    return _Grown(frontier=Frontier(head["size"], peaks), at=head["at"], signed=head["signed"])


async def _add_leaves(
    cursor: AsyncCursor[DictRow], before: _Grown, waiting: Sequence[DictRow], now: datetime, signer: Signer
) -> int:
    """Add leaves and their head; returns the tree's size.

    Sequencers of several machines take turns, so that a head is never dated before the one before it.
    """
    at = max(now, before.at or now)
    leaves = [row["leaf"] for row in waiting]
    after = before.frontier.extend(leaves)
    await cursor.execute(_ADD_LEAVES, (before.frontier.size, [row["seq"] for row in waiting], leaves))
    note = signer.sign(size=after.size, root=after.root, at=at)
    await cursor.execute(_ADD_HEAD, (after.size, after.root, b"".join(after.peaks), at, note))
    return after.size


async def _begin_signing(cursor: AsyncCursor[DictRow], size: int, at: datetime, signer: Signer) -> None:
    """Tell that heads are signed from now on: the newest one is not, and is never changed."""
    began = Event(
        id=f"audit-signed-from-{size}",
        case_id=None,
        kind=SIGNING_BEGAN,
        actor="system:log",
        at=at,
        data={"unsigned_size": size, "key": str(signer.key)},
    )
    await append_events(cursor, [began])


async def _add_nodes(cursor: AsyncCursor[DictRow], size: int) -> None:
    """Store what complete subtrees the tree has beyond those that are stored."""
    level = 1
    while complete := size >> level * LEVEL_BITS:
        stored = await (await cursor.execute(_STORED, (level,))).fetchone()
        assert stored is not None
        for first in range(stored["nodes"], complete, _NODES_AT_ONCE):
            nodes = await _hashed(cursor, level, first, min(first + _NODES_AT_ONCE, complete))
            if not nodes:
                return  # leaves were taken away, which is for verification to say
            await cursor.execute(_ADD_NODES, (level, first, nodes))
        level += 1


async def _hashed(cursor: AsyncCursor[DictRow], level: int, first: int, end: int) -> list[bytes]:
    """The hashes of nodes from those below them; none if any of these is not there."""
    below = (first << LEVEL_BITS, end << LEVEL_BITS)
    await (cursor.execute(_LEAVES, below) if level == 1 else cursor.execute(_NODES, (level - 1, *below)))
    hashes = [bytes(row["hash"]) for row in await cursor.fetchall()]
    if len(hashes) != below[1] - below[0]:
        return []
    return [complete_root(hashes[at : at + FAN_OUT]) for at in range(0, len(hashes), FAN_OUT)]
