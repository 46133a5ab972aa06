"""The database: one Postgres, checked before use, migrated by one process at a time."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection as SqlConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from checkpoints.errors import DatabaseAway, DatabaseUnusable

OLDEST_SERVER = 14
PATIENCE = timedelta(seconds=10)
"""How long a free connection of the pool is waited for."""
_TIME_OUTS = {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
    "options": "-c statement_timeout=5min -c idle_in_transaction_session_timeout=10min",
}
"""A server that is gone is noticed within a minute; no statement and no forgotten transaction lasts for ever.
There is no `lock_timeout`: whoever waits for a lock waits for a transaction, which has an end by these.
"""
NEVER_PREPARE = None
"""The `prepare_threshold` of a connection whose prepared statements are in doubt; no pool gets it back."""
_DRIVER = "postgresql+psycopg"
_PER_MAJOR = 10_000
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Database:
    """An engine on a Postgres that has been looked at, and the address other clients of it use."""

    engine: AsyncEngine
    conninfo: str

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """One use case: commits when the block ends, undoes everything when it raises."""
        with translated():
            async with self.engine.begin() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert isinstance(driver, AsyncConnection)
                yield Transaction(connection, driver)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A psycopg connection in autocommit mode, borrowed from the pool."""
        async with autocommit(self.engine) as connection:
            yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn what SQLAlchemy and psycopg raise for a database that is away into DatabaseAway."""
    try:
        yield
    except (psycopg.OperationalError, OperationalError, InterfaceError, NoConnectionFree) as error:
        raise DatabaseAway from error


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[AsyncConnection[Any]]:
    """A psycopg connection of the engine's pool in autocommit mode; raises DatabaseAway."""
    with translated():
        async with engine.connect() as borrowed:
            own = await borrowed.execution_options(isolation_level="AUTOCOMMIT")
            driver = (await own.get_raw_connection()).driver_connection
            assert isinstance(driver, AsyncConnection)
            usual = driver.prepare_threshold
            try:
                yield driver
            finally:
                idle = driver.info.transaction_status is TransactionStatus.IDLE
                if not idle or driver.prepare_threshold is NEVER_PREPARE:
                    await own.invalidate()  # giving it back would fail, or let down whoever gets it next
                else:
                    driver.prepare_threshold = usual


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction, seen through SQLAlchemy and through psycopg: both speak on the same connection."""

    sql: SqlConnection
    driver: AsyncConnection[Any]

    async def alone(self, name: str) -> None:
        """Hold the lock of this name until the transaction ends; whoever else asks for it waits."""
        await self.driver.execute(_ALONE, (name,))


@asynccontextmanager
async def open_database(url: str, *, connections: int = 20) -> AsyncIterator[Database]:
    """Open the database at a `postgresql://` address.

    Raises:
        DatabaseUnusable: the address is malformed, nobody answers there, or the server is too old.
    """
    address = parse_address(url)
    await _look_at(to_conninfo(address))
    engine = create_async_engine(
        address.set(drivername=_DRIVER),
        pool_size=connections,
        max_overflow=connections,
        pool_pre_ping=True,
        pool_use_lifo=True,  # the one used last has its statements prepared, and its server's caches are warm
        pool_timeout=PATIENCE.total_seconds(),
        connect_args=_TIME_OUTS,
    )
    try:
        yield Database(engine, to_conninfo(address))
    finally:
        await engine.dispose()


def parse_address(url: str) -> URL:
    """The parsed address; raises DatabaseUnusable for anything but Postgres."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseUnusable(
            "DATABASE_URL is not a database address: postgresql://user@host/name"
        ) from error
    if address.get_backend_name() not in {"postgresql", "postgres"}:
        raise DatabaseUnusable(f"DATABASE_URL must name a Postgres, not {address.get_backend_name()}")
    return address


def to_conninfo(address: URL) -> str:
    """The same address as psycopg and libpq read it."""
    return address.set(drivername="postgresql").render_as_string(hide_password=False)


async def _look_at(conninfo: str) -> None:
    try:
        connection = await AsyncConnection.connect(conninfo, autocommit=True, connect_timeout=10)
    except psycopg.ProgrammingError as error:
        raise DatabaseUnusable(f"DATABASE_URL is no address of a Postgres: {_first_line(error)}") from error
    except psycopg.OperationalError as error:
        raise DatabaseUnusable(f"the database cannot be reached: {_first_line(error)}") from error
    async with connection:
        version = connection.info.server_version
    if version < OLDEST_SERVER * _PER_MAJOR:
        found = version // _PER_MAJOR
        raise DatabaseUnusable(
            f"the database is Postgres {found}; Countersign needs {OLDEST_SERVER} or newer"
        )


def _first_line(error: psycopg.Error) -> str:
    """What libpq says is wrong; the lines after it only ask whether a server is there."""
    return (str(error).strip().splitlines() or ["no answer"])[0]


def sibling(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return (
        parse_address(url).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    )


async def drop_database(url: str, name: str) -> None:
    """Drop a database of the server at `url`, ending whoever is connected to it."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
