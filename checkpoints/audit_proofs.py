"""Reading what a proof needs from the stored tree: at most some 500 hashes a level and leaf, in one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from checkpoints.audit_tree import LEVEL_BITS
from checkpoints.database import Transaction
from checkpoints.errors import EventNotFound, NotInTheTree, SizeUnfit, TreeDamaged
from checkpoints.merkle import complete_root, split
from checkpoints.proofs import Span, Subtree, consistency_spans, fold, inclusion_root, inclusion_spans, needed

_LEAVES = """
SELECT e.id, l.index, e.leaf FROM audit_events e LEFT JOIN audit_leaves l ON l.seq = e.seq
WHERE e.id = ANY(%s)
"""
_SIGNED = "SELECT size, root, note FROM audit_heads WHERE note IS NOT NULL ORDER BY size DESC LIMIT 1"
_SIGNED_OVER = """
SELECT size, root, note FROM audit_heads WHERE note IS NOT NULL AND size > %s ORDER BY size LIMIT 1
"""
_SIZE = "SELECT coalesce(max(size), 0) AS size FROM audit_heads"
_HASHES = """
WITH wanted AS (
    SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS range (level, first, last)
)
SELECT w.level, w.first, w.last, (
    SELECT string_agg(one.hash, '' ORDER BY one.index) FROM (
        SELECT l.index, l.leaf AS hash FROM audit_leaves l
        WHERE l.index BETWEEN w.first AND w.last ORDER BY l.index LIMIT 256
    ) one
) AS hashes FROM wanted w WHERE w.level = 0
UNION ALL
SELECT w.level, w.first, w.last, (
    SELECT string_agg(one.hash, '' ORDER BY one.index) FROM (
        SELECT n.index, n.hash FROM audit_nodes n
        WHERE n.level = w.level AND n.index BETWEEN w.first AND w.last ORDER BY n.index LIMIT 256
    ) one
) FROM wanted w WHERE w.level > 0
"""
# A range comes as one row, its hashes end to end. The limit is never reached; it keeps the planner on the
# index even where the tables were never analyzed.


@dataclass(frozen=True, kw_only=True, slots=True)
class NewestHead:
    """The newest signed head."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Inclusion:
    """Proof that an event is the leaf `index` of the tree of `size` leaves whose root is given."""

    index: int
    size: int
    leaf: bytes
    root: bytes
    path: Sequence[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Consistency:
    """Proof that the tree of `second` leaves begins with that of `first`."""

    first: int
    first_root: bytes
    second: int
    second_root: bytes
    path: Sequence[bytes]


async def newest_head(tx: Transaction) -> NewestHead:
    """The newest signed head; raises NotInTheTree while there is none."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_SIGNED)).fetchone()
    if row is None:
        raise NotInTheTree("nothing is under a signed head yet; try again in a moment")
    return NewestHead(size=row["size"], root=bytes(row["root"]), note=row["note"])


async def first_head_over(tx: Transaction, index: int) -> NewestHead:
    """The smallest signed head whose tree has this leaf, which is always the same; raises NotInTheTree."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_SIGNED_OVER, (index,))).fetchone()
    if row is None:
        raise NotInTheTree
    return NewestHead(size=row["size"], root=bytes(row["root"]), note=row["note"])


async def prove_inclusion(tx: Transaction, event_id: str, size: int | None = None) -> Inclusion:
    """Prove that an event is in the tree of this size, or of the newest one.

    Raises:
        EventNotFound: there is no such event.
        NotInTheTree: it still waits for the tree, which takes a second or so.
        SizeUnfit: the tree is not that large yet, or was so before the event came.
    """
    return (await prove_inclusions(tx, [event_id], size))[0]


async def prove_inclusions(
    tx: Transaction, event_ids: Sequence[str], size: int | None = None
) -> list[Inclusion]:
    """The same of several events in one tree, in their order, whose hashes are read all at once."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_LEAVES, [list(event_ids)])).fetchall()
        leaves = {row["id"]: row for row in rows}
        if leaves.keys() != set(event_ids):
            raise EventNotFound
        if any(row["index"] is None for row in rows):
            raise NotInTheTree
        size = await _fit(cursor, size)
        for row in rows:
            if size <= row["index"]:
                raise SizeUnfit(f"the event is leaf {row['index']}: a tree of {size} leaves does not have it")
        paths = [inclusion_spans(leaves[one]["index"], size) for one in event_ids]
        folded = iter(await _folded(cursor, [span for path in paths for span in path]))
    told = zip(event_ids, paths, strict=True)
    return [_inclusion(leaves[one], size, list(islice(folded, len(path)))) for one, path in told]


def _inclusion(leaf: DictRow, size: int, path: list[bytes]) -> Inclusion:
    index, own = leaf["index"], bytes(leaf["leaf"])
    root = inclusion_root(leaf=own, index=index, size=size, path=path)
    assert root is not None
    return Inclusion(index=index, size=size, leaf=own, root=root, path=path)


async def prove_consistency(tx: Transaction, first: int, second: int | None = None) -> Consistency:
    """Prove that the tree of the second size, or the newest one, begins with that of the first.

    Raises:
        SizeUnfit: the tree is not that large yet, or the sizes do not follow each other.
    """
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        second = await _fit(cursor, second)
        if not 0 < first <= second:
            raise SizeUnfit(f"a tree of {second} leaves does not begin with one of {first}")
        path = consistency_spans(first, second)
        *hashes, one, other = await _folded(cursor, [*path, Span(0, first), Span(0, second)])
    return Consistency(first=first, first_root=one, second=second, second_root=other, path=hashes)


async def _fit(cursor: AsyncCursor[DictRow], size: int | None) -> int:
    row = await (await cursor.execute(_SIZE)).fetchone()
    assert row is not None
    if size is not None and size > row["size"]:
        raise SizeUnfit(f"the tree has {row['size']} leaves, not {size}")
    return int(row["size"]) if size is None else size


async def _folded(cursor: AsyncCursor[DictRow], spans: Sequence[Span]) -> list[bytes]:
    subtrees = set(needed(spans))
    ranges = [_range(subtree) for subtree in subtrees]
    columns = [[one[place] for one in ranges] for place in range(3)]
    rows = await (await cursor.execute(_HASHES, columns, binary=True)).fetchall()
    kept = {(row["level"], row["first"], row["last"]): row["hashes"] or b"" for row in rows}
    return fold(spans, {subtree: _root(subtree, kept) for subtree in subtrees})


def _range(subtree: Subtree) -> tuple[int, int, int]:
    """The level of stored hashes below a subtree, and the first and the last of those it is over."""
    level, rest = divmod(subtree.height, LEVEL_BITS)
    return level, subtree.index << rest, (subtree.index + 1 << rest) - 1


def _root(subtree: Subtree, kept: Mapping[tuple[int, int, int], bytes]) -> bytes:
    """The root of a subtree from the stored hashes below it; raises TreeDamaged if one is not there."""
    level, first, last = _range(subtree)
    hashes = split(kept[level, first, last])
    if len(hashes) != last - first + 1:
        raise TreeDamaged
    return complete_root(hashes)
