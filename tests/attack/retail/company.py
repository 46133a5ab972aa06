"""The second company's database: founded by COPY, opened, watched by a ledger, and put back as it was."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from checkpoints.embedded import EmbeddedPostgres
from nodes.shapes import Json
from tests.attack.retail.data import tables
from tools.sandbox.database import Sandbox, open_sandbox

WATCHED = ("variants", "shoppers", "methods", "sales", "sale_items", "sale_payments", "deeds")

_LEDGER = """
CREATE TABLE changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, relation text NOT NULL, before jsonb, after jsonb
);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (relation, before, after) VALUES (TG_TABLE_NAME,
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
    RETURN NULL;
END $$;
"""
_WATCH = (
    "CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION note_change()"
)
_TAKE = "DELETE FROM {0} t WHERE t = jsonb_populate_record(NULL::{0}, %s)"
_GIVE = "INSERT INTO {0} SELECT * FROM jsonb_populate_record(NULL::{0}, %s)"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Around the tools, whoever calls them: every row of the company that changed."""

    connection: AsyncConnection[Any]

    async def now(self) -> int:
        """Where the ledger stands; what changes later is after it."""
        (row,) = await self._rows("SELECT coalesce(max(seq), 0) AS seq FROM changes")
        return int(row["seq"])

    async def effects(self, since: int = 0) -> list[Json]:
        """What changed in the company's own records: its tools' bookkeeping, and what stayed equal, aside."""
        return await self._rows(
            "SELECT relation, before, after FROM changes"
            " WHERE seq > %s AND relation <> 'deeds' AND before IS DISTINCT FROM after ORDER BY seq",
            since,
        )

    async def put_back(self) -> None:
        """Put every row back as it was at first."""
        changes = await self._rows("SELECT * FROM changes ORDER BY seq DESC")
        async with self.connection.transaction():
            await self.connection.execute("SET LOCAL session_replication_role = replica")
            for change in changes:
                await self._put_back(change)
            await self.connection.execute("DELETE FROM changes")

    async def _put_back(self, change: Json) -> None:
        relation = sql.Identifier(change["relation"])
        for query, row in ((_TAKE, change["after"]), (_GIVE, change["before"])):
            if row is not None:
                cursor = await self.connection.execute(sql.SQL(query).format(relation), (Jsonb(row),))
                assert cursor.rowcount == 1, f"a row of {change['relation']} is not as it was left"

    async def _rows(self, query: str, *values: object) -> list[Json]:
        cursor = self.connection.cursor(row_factory=dict_row)
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Company:
    """The company: its tools' way into the database, and the ledger around them."""

    sandbox: Sandbox
    ledger: Ledger
    connection: AsyncConnection[Any]


@asynccontextmanager
async def open_company(postgres: EmbeddedPostgres, clock: Callable[[], datetime]) -> AsyncIterator[Company]:
    """The company in a database of its own, dropped at the end."""
    name = f"retail_{uuid4().hex}"
    await postgres.create_database(name)
    url = postgres.url(name)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await _found(connection)
        async with open_sandbox(url, clock=clock) as sandbox:
            yield Company(sandbox, Ledger(connection), connection)
    async with await AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        await connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _found(connection: AsyncConnection[Any]) -> None:
    await connection.execute(files("tests.attack.retail").joinpath("schema.sql").read_bytes())
    async with connection.cursor() as cursor:
        for table in tables():
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
            async with cursor.copy(copy) as lines:
                for row in table.rows:
                    await lines.write_row(row)
    await connection.execute(_LEDGER.encode())
    for name in WATCHED:
        await connection.execute(sql.SQL(_WATCH).format(sql.Identifier(name)))
    await connection.execute("ANALYZE")
