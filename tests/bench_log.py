"""How fast writers append side by side, how far the tree is behind them, and what a proof costs."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from checkpoints.audit import Event, append_events
from checkpoints.audit_proofs import prove_inclusion
from checkpoints.audit_tree import grow_tree
from checkpoints.database import Database, open_database
from checkpoints.merkle import Frontier
from tests.checkpoints.log import SIGNER
from tests.databases import as_owner

WRITERS = (1, 4, 16)
SECONDS = 2.0
SIZES = (1_000, 100_000)
PROOFS = 30
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_LOOK = 0.002
_FILL = """
INSERT INTO audit_events (id, kind, actor, at, data, leaf)
SELECT 'filled-' || n, 'bench', 'bench', now(), '{{}}', sha256(n::text::bytea)
FROM generate_series({first}, {last}) n;
INSERT INTO audit_leaves (index, seq, leaf)
SELECT (SELECT count(*) FROM audit_leaves) + row_number() OVER (ORDER BY seq) - 1, seq, leaf
FROM audit_events WHERE id LIKE 'filled-%' AND seq NOT IN (SELECT seq FROM audit_leaves);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What so many writers came to, in events a second, and how far the tree was behind at their end."""

    writers: int
    rate: float
    waiting: int
    caught_up_ms: float


async def measure(url: str) -> None:
    """Measure and print."""
    ids = (f"bench-{number}" for number in count())
    runs = [await _appended(url, writers, ids) for writers in WRITERS]
    async with open_database(as_owner(url)) as database:  # what is filled by hand takes all rights
        proofs = [await _proofs(database, size) for size in SIZES]
    _show(runs, proofs)


async def _appended(url: str, writers: int, ids: Iterator[str]) -> Run:
    """Events are told one a transaction, each writer on a connection of its own, beside one sequencer."""
    stop, done = asyncio.Event(), [0] * writers
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(
                await AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)
            )
            for _ in range(writers + 1)
        ]
        sequencing = asyncio.create_task(_sequence(connections[-1], stop))
        until = time.perf_counter() + SECONDS
        began = time.perf_counter()
        await asyncio.gather(*(_write(connections[n], ids, until, done, n) for n in range(writers)))
        took = time.perf_counter() - began
        async with connections[0].cursor() as cursor:
            await cursor.execute("SELECT count(*) AS waiting FROM audit_pending")
            row = await cursor.fetchone()
        stop.set()
        await sequencing
    assert row is not None
    return Run(
        writers=writers,
        rate=sum(done) / took,
        waiting=row["waiting"],
        caught_up_ms=(time.perf_counter() - began - took) * 1000,
    )


async def _write(
    connection: AsyncConnection[dict[str, object]],
    ids: Iterator[str],
    until: float,
    done: list[int],
    own: int,
) -> None:
    while time.perf_counter() < until:
        told = Event(id=next(ids), case_id="c", kind="bench", actor="bench", at=NOW, data={"text": "x" * 200})
        async with connection.transaction(), connection.cursor() as cursor:
            await append_events(cursor, [told])
        done[own] += 1


async def _sequence(connection: AsyncConnection[dict[str, object]], stop: asyncio.Event) -> None:
    """Grow the tree without a pause, and after the writers have ended until nothing waits."""
    while True:
        ending = stop.is_set()
        added = await grow_tree(connection, lambda: NOW, SIGNER)
        if not added and ending:
            return
        if not added:
            await asyncio.sleep(_LOOK)


async def _proofs(database: Database, size: int) -> tuple[int, float, int]:
    """A tree filled up to this size: its size, the median milliseconds of a proof, and the hashes in one."""
    async with database.connection() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("TRUNCATE audit_nodes, audit_heads, audit_leaves, audit_pending, outbox")
        await connection.execute("TRUNCATE audit_events CASCADE")
        await connection.execute(_FILL.format(first=1, last=size).encode())
        cursor = await connection.execute("SELECT leaf FROM audit_leaves ORDER BY index")
        frontier = Frontier().extend([bytes(leaf) for (leaf,) in await cursor.fetchall()])
        note = SIGNER.sign(size=size, root=frontier.root, at=NOW)
        head = (size, frontier.root, b"".join(frontier.peaks), NOW, note)
        await connection.execute("INSERT INTO audit_heads VALUES (%s, %s, %s, %s, %s)", head)
        await grow_tree(connection, lambda: NOW, SIGNER)
        await connection.execute("ANALYZE audit_events, audit_leaves, audit_nodes")
    times, hashes = [], 0
    for number in range(PROOFS):
        async with database.transaction() as tx:
            began = time.perf_counter()
            proof = await prove_inclusion(tx, f"filled-{1 + number * (size - 1) // PROOFS}")
            times.append((time.perf_counter() - began) * 1000)
            hashes = max(hashes, len(proof.path))
    return size, statistics.median(times), hashes


def _show(runs: list[Run], proofs: list[tuple[int, float, int]]) -> None:
    console = Console(width=100)
    table = Table(title="Events told, one a transaction, while the tree grows behind", title_justify="left")
    for name in ("writers", "events a second", "against one", "waiting at the end", "ms until in the tree"):
        table.add_column(name, justify="right")
    for run in runs:
        table.add_row(
            str(run.writers),
            f"{run.rate:.0f}",
            f"{run.rate / runs[0].rate:.2f} x",
            str(run.waiting),
            f"{run.caught_up_ms:.1f}",
        )
    console.print(table)
    table = Table(title=f"A proof of inclusion, median of {PROOFS}", title_justify="left")
    for name in ("leaves", "ms", "against fewest", "hashes in it, at most"):
        table.add_column(name, justify="right")
    for size, took, hashes in proofs:
        table.add_row(f"{size:,}", f"{took:.2f}", f"{took / proofs[0][1]:.2f} x", str(hashes))
    console.print(table)
