"""The sandbox company's own database: opened, read and written."""

import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, LiteralString, TypeAlias, TypeVar

from psycopg import AsyncConnection, IsolationLevel, sql
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from tools.contract import Arguments, Record, ToolRefused
from tools.sandbox.faults import refused_or_unknown, unavailable, unknown

Connection: TypeAlias = AsyncConnection[Any]
R = TypeVar("R", bound=Record)

_HOLD_KEY = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


class Sandbox:
    """The sandbox company: a pool of connections to its database, and its clock."""

    def __init__(self, *, pool: AsyncConnectionPool[Connection], clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    def now(self) -> datetime:
        """The time it is at the company."""
        return self._clock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """One snapshot of the books that cannot be written through; an error means it is away."""
        with unavailable():
            async with self._transaction(read_only=True) as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, deed: str, key: str) -> AsyncIterator[Connection]:
        """One transaction that holds the deed's key, so that the same key is worked on once at a time.

        Until the key is held nobody knows whether an earlier call did the deed, and after COMMIT was sent
        nobody knows whether it arrived: errors there are unknown outcomes. In between, what the server rolled
        back is refused.
        """
        async with self.finding(deed, key) as connection:
            with refused_or_unknown():
                yield connection

    @asynccontextmanager
    async def finding(self, deed: str, key: str) -> AsyncIterator[Connection]:
        """One transaction that waits for whoever still works under the key; errors are unknown outcomes."""
        with unknown():
            async with self._transaction() as connection:
                await connection.execute(_HOLD_KEY, (f"{deed}:{key}",))
                yield connection

    @asynccontextmanager
    async def _transaction(self, *, read_only: bool = False) -> AsyncIterator[Connection]:
        async with self._pool.connection() as connection:
            # These only shape the BEGIN that follows; nothing is sent for them.
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ if read_only else None)
            await connection.set_read_only(read_only or None)
            async with connection.transaction():
                yield connection


@asynccontextmanager
async def open_sandbox(
    url: str,
    *,
    clock: Callable[[], datetime],
    connections: int = 8,
    patience: timedelta = timedelta(seconds=4),
) -> AsyncIterator[Sandbox]:
    """Open the company's database at `url`; `patience` bounds the wait for connections and locks."""

    async def configure(connection: Connection) -> None:
        for setting, value in _settings(patience).items():
            await connection.execute("SELECT set_config(%s, %s, false)", (setting, value))

    async with AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[Any],
        kwargs={"autocommit": True},
        min_size=1,
        max_size=connections,
        timeout=patience.total_seconds(),
        configure=configure,
        check=_check,  # or each fails once after a restart of Postgres
        open=False,
    ) as pool:
        yield Sandbox(pool=pool, clock=clock)


async def _check(connection: Connection) -> None:
    """Ask the server whether it is there, but only if it has said something unasked: its last words."""
    line = select.poll()
    line.register(connection.fileno(), select.POLLIN)
    if line.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def _settings(patience: timedelta) -> dict[str, str]:
    milliseconds = int(patience.total_seconds() * 1000)
    return {
        "TimeZone": "UTC",
        "lock_timeout": f"{milliseconds}ms",
        "statement_timeout": f"{2 * milliseconds}ms",
    }


async def one(connection: Connection, record: type[R], query: LiteralString, *values: object) -> R | None:
    """The first row of a query as a record, or None; `{columns}` stands for the record's fields."""
    async with connection.cursor(row_factory=class_row(record)) as cursor:
        await cursor.execute(_selecting(record, query), values)
        return await cursor.fetchone()


async def many(connection: Connection, record: type[R], query: LiteralString, *values: object) -> list[R]:
    """The rows of a query as records; `{columns}` stands for the record's fields."""
    async with connection.cursor(row_factory=class_row(record)) as cursor:
        await cursor.execute(_selecting(record, query), values)
        return await cursor.fetchall()


@cache
def _selecting(record: type[Record], query: LiteralString) -> bytes:
    columns = sql.SQL(", ").join(map(sql.Identifier, record.model_fields))
    return sql.SQL(query).format(columns=columns).as_bytes(None)


async def exists(connection: Connection, query: LiteralString, *values: object) -> bool:
    """Whether a query has a row."""
    cursor = await connection.execute(query, values)
    return await cursor.fetchone() is not None


def confirmed(done: R, arguments: Arguments) -> R:
    """The deed already done under a key; a refusal if it was done with other arguments."""
    if any(getattr(done, name) != value for name, value in arguments.model_dump().items()):
        raise ToolRefused("this idempotency key was used with other arguments")
    return done
