"""Founding: the company's tables are created and filled with its past, once."""

from collections.abc import Iterable
from datetime import datetime
from importlib.resources import files

from psycopg import sql

from tools.sandbox.database import Connection, Sandbox
from tools.sandbox.rows import Table
from tools.sandbox.systems import SYSTEMS, System

_FOUNDING = 7_243_001  # any number; it only has to be the same in every process that founds
_FOUNDING_TAKES = "60s"


async def found(sandbox: Sandbox, *, seed: int = 20260101, as_of: datetime, customers: int = 600) -> None:
    """Create the company's tables and fill them with its past up to `as_of`, unless that has been done.

    One transaction under a lock: however many call it at once, and whenever one dies, the company is founded
    once and whole. Raises psycopg.Error.
    """
    async with sandbox._transaction() as connection:  # noqa: SLF001 - founding belongs to the sandbox
        await connection.execute(
            "SELECT set_config('lock_timeout', %(t)s, true), set_config('statement_timeout', %(t)s, true)",
            {"t": _FOUNDING_TAKES},
        )
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_FOUNDING,))
        for system in SYSTEMS:
            await _create(connection, system)
            if not await _filled(connection, system):
                await _fill(connection, system.rows(seed, as_of, customers))
                await connection.execute("ANALYZE")


async def _create(connection: Connection, system: System) -> None:
    cursor = await connection.execute("SELECT to_regclass(%s) IS NULL", (system.table,))
    if await cursor.fetchone() == (True,):
        schema = files(system.package).joinpath("schema.sql").read_bytes()
        await connection.execute(schema)


async def _filled(connection: Connection, system: System) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(system.table))
    cursor = await connection.execute(query)
    return await cursor.fetchone() == (True,)


async def _fill(connection: Connection, tables: Iterable[Table]) -> None:
    async with connection.cursor() as cursor:
        for table in tables:
            async with cursor.copy(_copy(table)) as copy:
                for row in table.rows:
                    await copy.write_row(row)


def _copy(table: Table) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
