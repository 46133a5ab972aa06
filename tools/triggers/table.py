"""A watched table: its rows in order, page by page, in read-only transactions on one connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed, Identifier

from tools.triggers.trouble import TriggerTrouble

LARGEST_ROW = 1024 * 1024
"""Bytes of a row's data as JSON; of one that is larger only the key is read."""
WITHIN = timedelta(seconds=20)
"""The longest that one page may take, whatever the network does."""
_STATEMENT, _LOCK = "10s", "2s"
_CONNECT_SECONDS = 10
_MOST_DIGITS = 30

Scalar: TypeAlias = str | int | bool | None

_SETTINGS = """
SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
       set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true),
       set_config('extra_float_digits', '1', true)
"""
_COLUMNS = """
SELECT a.attname, a.atttypid::regtype::text, a.attnotnull FROM pg_attribute a
WHERE a.attrelid = to_regclass(%s) AND a.attname = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
_AHEAD = {
    "timestamp with time zone": timedelta(minutes=1),
    "timestamp without time zone": timedelta(days=1),
}
"""How far a time may lie ahead: one in the far future would put everything that follows behind the mark."""
_ORDERS = {*_AHEAD, "smallint", "integer", "bigint", "numeric"}
_ROWS = SQL("""
SELECT seen.key, seen.place, CASE WHEN octet_length(seen.data) <= {largest} THEN seen.data END
FROM (SELECT {key}::text AS key, {order}::text AS place, json_build_object({data})::text AS data
      FROM {table} WHERE {conditions} ORDER BY {order}, {key} LIMIT {most}) seen
""")
_WITHOUT = SQL("SELECT EXISTS (SELECT FROM {table} WHERE ({order} IS NULL OR {key} IS NULL){where})")


class Place(NamedTuple):
    """Where a row stands: the order column and the key, as Postgres writes them."""

    order: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row. Numbers that are not whole are text, exactly as Postgres writes them.

    Attributes:
        data: by event field; None of a row that is too large or nested too deeply.
    """

    place: Place
    data: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """Which rows of which table.

    Attributes:
        table: its name, with a schema and a dot before it or without.
        key: a column whose values tell rows apart.
        order: a column whose values only grow: of whole numbers or of times.
        where: the values that other columns must have.
        data: by event field the column that fills it.
    """

    conninfo: str = field(repr=False)
    table: str
    key: str
    order: str
    where: Mapping[str, Scalar]
    data: Mapping[str, str]

    @property
    def relation(self) -> Identifier:
        """The table, quoted."""
        return Identifier(*self.table.split("."))


@dataclass(slots=True)
class TableReader:
    """Reads a watched table over one connection, which is opened again when it was lost."""

    watched: Watched
    _connection: AsyncConnection[Any] | None = None

    async def page(self, after: Place | None, most: int, now: datetime) -> list[Row]:
        """The next rows after a place, or the first ones, in order; raises TriggerTrouble.

        Rows without a key or an order value are never among them: see `unordered`. Times that lie ahead are
        read when they have come.
        """
        async with self._transaction() as (connection, types):
            cursor = await connection.execute(self._rows(types, after, most, now))
            return [_row(*found) for found in await cursor.fetchall()]

    async def unordered(self) -> bool:
        """Whether there are rows without a key or an order value; raises TriggerTrouble."""
        async with self._transaction() as (connection, types):
            if not any(types[name].nullable for name in (self.watched.key, self.watched.order)):
                return False
            conditions = self._where()
            query = _WITHOUT.format(
                table=self.watched.relation,
                order=Identifier(self.watched.order),
                key=Identifier(self.watched.key),
                where=SQL("").join(SQL(" AND ") + one for one in conditions),
            )
            found = await (await connection.execute(query)).fetchone()
            return bool(found and found[0])

    async def close(self) -> None:
        """Give the connection up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[tuple[AsyncConnection[Any], dict[str, "_Column"]]]:
        """A read-only transaction, and what the columns are; whatever goes wrong closes the connection."""
        whole = False
        try:
            async with asyncio.timeout(WITHIN.total_seconds()):
                connection = await self._open()
                async with connection.transaction():
                    await connection.execute(_SETTINGS, (_STATEMENT, _LOCK))
                    yield connection, await self._types(connection)
            whole = True
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as error:
            raise TriggerTrouble("database_away") from error
        except psycopg.Error as error:
            raise TriggerTrouble("table_unreadable") from error
        finally:
            if not whole:
                await self.close()

    async def _open(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await AsyncConnection.connect(
                self.watched.conninfo,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=_CONNECT_SECONDS,
                application_name="countersign trigger",
            )
            await self._connection.set_read_only(True)
        return self._connection

    async def _types(self, connection: AsyncConnection[Any]) -> dict[str, "_Column"]:
        watched = self.watched
        named = {watched.key, watched.order, *watched.where, *watched.data.values()}
        relation = watched.relation.as_string(connection)
        rows = await (await connection.execute(_COLUMNS, (relation, list(named)))).fetchall()
        types = {name: _Column(kind, not required) for name, kind, required in rows}
        if not types:
            raise TriggerTrouble("no_such_table")
        if named - types.keys():
            raise TriggerTrouble("no_such_column")
        if types[watched.order].kind not in _ORDERS:
            raise TriggerTrouble("order_unfit")
        return types

    def _rows(
        self, types: Mapping[str, "_Column"], after: Place | None, most: int, now: datetime
    ) -> Composed:
        order, key = Identifier(self.watched.order), Identifier(self.watched.key)
        conditions: list[Composable] = [
            *self._where(),
            order + SQL(" IS NOT NULL"),
            key + SQL(" IS NOT NULL"),
        ]
        if (ahead := _AHEAD.get(types[self.watched.order].kind)) is not None:
            until = (now.astimezone(UTC) + ahead).replace(tzinfo=None)
            conditions.append(SQL("{} <= {}").format(order, str(until)))
        if after is not None:
            conditions.append(SQL("({}, {}) > ({}, {})").format(order, key, after.order, after.key))
        pairs = (
            SQL("{}::text, {}").format(name, Identifier(column)) for name, column in self.watched.data.items()
        )
        return _ROWS.format(
            largest=LARGEST_ROW,
            key=key,
            order=order,
            data=SQL(", ").join(pairs),
            table=self.watched.relation,
            conditions=SQL(" AND ").join(conditions),
            most=most,
        )

    def _where(self) -> list[Composable]:
        """What the other columns must be; each value is written as text, and read as its column's type."""
        return [
            Identifier(name) + SQL(" IS NULL")
            if value is None
            else SQL("{} = {}").format(Identifier(name), str(value))
            for name, value in self.watched.where.items()
        ]


class _Column(NamedTuple):
    kind: str
    nullable: bool


def _row(key: str, order: str, text: str | None) -> Row:
    try:
        data = None if text is None else json.loads(text, parse_float=str, parse_int=_whole)
    except RecursionError:  # a JSON column can be nested as deeply as somebody likes
        data = None
    return Row(place=Place(order, key), data=data)


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits
