"""The fenced session of a segment: one connection that owns one thread. No session, no write."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor, DatabaseError
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from sqlalchemy.ext.asyncio import AsyncEngine

from checkpoints.database import NEVER_PREPARE, Transaction, autocommit
from checkpoints.errors import StaleHead, ThreadIsBusy
from checkpoints.sealing import Opening, Seal, StoredSeal, keep, openings
from checkpoints.unit import Unit

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS mine"
_WAIT = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_HOLDS = """
SELECT 1 FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(%s, 0)
"""
STALE_HEAD_STATE = "CS001"


@dataclass(frozen=True, slots=True)
class Session:
    """One autocommit connection, shared by the saver and the ledger of one segment, in turns.

    Attributes:
        behind: the units of steps that are not stored yet; whatever is written next takes them along, first.
        waiting: what was sealed and is not stored yet; it is taken along in the same way.
        apart: what keeps the tasks of this session apart, by the name of the lock, which the session may take
            as often as it likes.
    """

    connection: AsyncConnection[Any]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    behind: list[Unit] = field(default_factory=list)
    waiting: dict[str, Opening] = field(default_factory=dict)
    apart: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[AsyncCursor[DictRow]]:
        """A cursor for questions that no step of this segment has changed the answer to."""
        async with self.turn, self.connection.cursor(row_factory=dict_row) as cursor:
            yield cursor

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[AsyncCursor[DictRow]]:
        """Statements that commit together in one round trip; nothing may be fetched inside.

        An error in any statement undoes them all and is raised at the end of the block; so does anything that
        is raised inside it, a cancellation included. What is behind stays behind then.

        Raises:
            StaleHead: what is behind does not build upon the head of its thread.
        """
        async with self._sending() as (cursor, _):
            yield cursor

    async def catch_up(self) -> None:
        """Store what is behind, if anything is; what the database refuses is not tried again.

        Raises:
            StaleHead: as for `pipeline`.
        """
        if self.behind:
            sent: Sequence[Unit] = ()
            try:
                async with self._sending() as (_, sent):
                    pass
            except (DatabaseError, StaleHead):
                self._stored(sent, {})
                raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncCursor[DictRow]]:
        """A transaction in which answers can be read, after what was behind."""
        await self.catch_up()
        taken: dict[str, Opening] = {}
        async with (
            self.turn,
            self.connection.transaction(),
            self.connection.cursor(row_factory=dict_row) as cursor,
        ):
            yield cursor
            taken |= self.waiting  # after the block: it may have sealed something
            await keep(cursor, taken.values())
        self._stored((), taken)

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A transaction of statements that are all sent before an answer is read; after what was behind.

        Whoever does not like an answer raises, and nothing was written.
        """
        await self.catch_up()
        taken: dict[str, Opening] = {}
        async with self._piped(), self.connection.transaction():
            yield self.connection
            taken |= self.waiting
            await keep(self.connection.cursor(), taken.values())
        self._stored((), taken)

    def seal(self, case_id: str, key: str, clock: Callable[[], datetime]) -> Seal:
        """A seal for a case, whose values are stored with whatever the session writes next."""

        async def read(case: str, tokens: Iterable[str]) -> Mapping[str, Opening]:
            async with self.turn:
                return await openings(self.connection, [case], tokens)

        return StoredSeal(case_id, key, clock, self.waiting, read=read)

    @asynccontextmanager
    async def _sending(self) -> AsyncIterator[tuple[AsyncCursor[DictRow], Sequence[Unit]]]:
        """A pipeline that is one transaction and has sent what was behind, which comes with it."""
        async with (
            self._piped(),
            self.connection.cursor(binary=True, row_factory=dict_row) as cursor,
        ):
            await cursor.execute("BEGIN")
            behind, taken = tuple(self.behind), dict(self.waiting)
            for unit in behind:
                await unit.send(cursor)
            await keep(cursor, taken.values())
            yield cursor, behind
            await cursor.execute("COMMIT")
        self._stored(behind, taken)

    @asynccontextmanager
    async def _piped(self) -> AsyncIterator[None]:
        """In turn, and in a pipeline."""
        async with self.turn:
            try:
                async with self.connection.pipeline():
                    yield
            except BaseException as error:  # to know of a cancellation too; it goes on as it is
                if isinstance(error, psycopg.Error) or not isinstance(error, Exception):
                    # The server has skipped what was to be prepared, and psycopg believes it prepared.
                    self.connection.prepare_threshold = NEVER_PREPARE
                if isinstance(error, DatabaseError) and error.sqlstate == STALE_HEAD_STATE:
                    raise StaleHead from error
                raise
            finally:
                await self._undo_what_is_open()

    def _stored(self, units: Sequence[Unit], taken: Mapping[str, Opening]) -> None:
        """Forget what is stored, or refused."""
        self.behind[:] = [unit for unit in self.behind if unit not in units]
        for token in taken:
            self.waiting.pop(token, None)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Hold the advisory lock of this name, as soon as no other session, or task of this one, does."""
        async with self.apart[name]:
            try:
                async with self.turn:
                    await self.connection.execute(_WAIT, (name,))
                yield
            finally:
                await _let_go(self, name)

    async def _undo_what_is_open(self) -> None:
        if self.connection.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            await self.connection.execute("ROLLBACK")


@asynccontextmanager
async def open_session(engine: AsyncEngine) -> AsyncIterator[Session]:
    """A session that owns no thread yet; raises DatabaseAway."""
    async with autocommit(engine) as connection:
        connection.prepare_threshold = 0  # a segment asks the same few things again and again
        yield Session(connection)


@asynccontextmanager
async def fence(session: Session, case_id: str) -> AsyncIterator[None]:
    """Hold the thread's advisory lock; raises ThreadIsBusy if another session does.

    The lock lives and dies with the connection: whoever ends the connection ends the right to write.
    """
    try:  # whoever is cancelled while asking may have been given the lock already
        cursor = await session.connection.cursor(row_factory=dict_row).execute(_LOCK, (case_id,))
        row = await cursor.fetchone()
        if row is None or not row["mine"]:
            raise ThreadIsBusy(f"another session works on {case_id}")
        yield
    finally:
        await _let_go(session, case_id)


async def require_fence(tx: Transaction, session: Session, case_id: str) -> None:
    """Hold what is written beside a session, with the case's row locked, to whose the thread is.

    Raises:
        ThreadIsBusy: the session has lost it, and whoever has it now decides what becomes of the case.
    """
    cursor = await tx.driver.execute(_HOLDS, (session.connection.info.backend_pid, case_id))
    if await cursor.fetchone() is None:
        raise ThreadIsBusy(f"{case_id} is not this session's any more")


@asynccontextmanager
async def fenced_session(engine: AsyncEngine, case_id: str) -> AsyncIterator[Session]:
    """A session that owns this thread; raises ThreadIsBusy or DatabaseAway."""
    async with open_session(engine) as session, fence(session, case_id):
        yield session


async def _let_go(session: Session, case_id: str) -> None:
    """Give up the lock; a connection that cannot say so is closed, or the pool would keep the lock.

    A node that was cancelled may still be ending its statement: it is waited for, like any other.
    """
    unlocked = False
    try:
        async with session.turn:
            with suppress(psycopg.Error):
                await session.connection.execute(_UNLOCK, (case_id,))
                unlocked = True
    finally:
        if not unlocked:
            await session.connection.close()
