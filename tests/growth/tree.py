"""The tree over a log that was multiplied: the same leaves, nodes and signed heads as growing it makes."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from checkpoints.audit_tree import FAN_OUT, LEVEL_BITS
from checkpoints.merkle import Frontier, complete_root
from checkpoints.notes import Signer

HEAD_EVERY = 4
"""A head over every so many complete nodes: some 1,000 leaves, as a busy sequencer signs them."""

_LEAVES = """
INSERT INTO audit_leaves (index, seq, leaf)
SELECT %(size)s + row_number() OVER (ORDER BY e.seq) - 1, e.seq, e.leaf FROM audit_events e
WHERE e.seq > (SELECT coalesce(max(seq), 0) FROM audit_leaves)
"""
_READ = "COPY (SELECT leaf FROM audit_leaves ORDER BY index) TO STDOUT (FORMAT binary)"
_STORED = "SELECT level, count(*) AS nodes FROM audit_nodes GROUP BY level"


class Nodes:
    """The complete subtrees of one level and those above it, as far as they are not stored yet."""

    def __init__(self, stored: dict[int, int]) -> None:
        self.rows: list[tuple[int, int, bytes]] = []
        self.frontier = Frontier()
        self._stored = stored
        self._open: dict[int, list[bytes]] = {}
        self._done: dict[int, int] = {}

    def add(self, level: int, root: bytes) -> None:
        """Take the next complete subtree of a level."""
        index = self._done.get(level, 0)
        self._done[level] = index + 1
        if index >= self._stored.get(level, 0):
            self.rows.append((level, index, root))
        if level == 1:
            self.frontier = self.frontier.append(root)
        siblings = self._open.setdefault(level, [])
        siblings.append(root)
        if len(siblings) == FAN_OUT:
            self.add(level + 1, complete_root(siblings))
            siblings.clear()


async def grow(connection: AsyncConnection[Any], signer: Signer, at: datetime) -> int:
    """Put all events that wait for no sequencer under signed heads; returns how many leaves there are."""
    cursor = await connection.execute("SELECT coalesce(max(size), 0) AS size FROM audit_heads")
    before = (await cursor.fetchone())["size"]  # type: ignore[index]
    await connection.execute(_LEAVES, {"size": before})
    cursor = await connection.execute(_STORED)
    nodes = Nodes({row["level"]: row["nodes"] for row in await cursor.fetchall()})
    heads: list[tuple[int, bytes, bytes, datetime, str]] = []
    open_: list[bytes] = []
    async for leaf in _leaves(connection):
        open_.append(leaf)
        if len(open_) < FAN_OUT:
            continue
        nodes.add(1, complete_root(open_))
        open_.clear()
        size = nodes.frontier.size << LEVEL_BITS
        if size > before and nodes.frontier.size % HEAD_EVERY == 0:
            heads.append(_head(Frontier(size, nodes.frontier.peaks), signer, at))
    whole = Frontier(nodes.frontier.size << LEVEL_BITS, nodes.frontier.peaks).extend(open_)
    if whole.size > max([before, *(head[0] for head in heads[-1:])]):
        heads.append(_head(whole, signer, at))
    await _copy(connection, "audit_nodes (level, index, hash)", nodes.rows, ["int4", "int8", "bytea"])
    types = ["int8", "bytea", "bytea", "timestamptz", "text"]
    await _copy(connection, "audit_heads (size, root, peaks, at, note)", heads, types)
    return whole.size


async def _leaves(connection: AsyncConnection[Any]) -> AsyncIterator[bytes]:
    async with connection.cursor().copy(_READ) as copy:
        copy.set_types(["bytea"])
        async for (leaf,) in copy.rows():
            yield leaf


def _head(frontier: Frontier, signer: Signer, at: datetime) -> tuple[int, bytes, bytes, datetime, str]:
    note = signer.sign(size=frontier.size, root=frontier.root, at=at)
    return frontier.size, frontier.root, b"".join(frontier.peaks), at, note


async def _copy(connection: AsyncConnection[Any], into: str, rows: list[Any], types: list[str]) -> None:
    statement = f"COPY {into} FROM STDIN (FORMAT binary)"
    async with connection.cursor().copy(statement.encode()) as copy:
        copy.set_types(types)
        for row in rows:
            await copy.write_row(row)
