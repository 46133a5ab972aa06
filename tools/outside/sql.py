"""SQL sources: one SELECT each on a named database, by a role that can only read, within bounds."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier, Literal
from pydantic import AfterValidator, AwareDatetime, Field, create_model

from tools.contract import (
    Arguments,
    Call,
    Effect,
    Marked,
    Record,
    RecordNotFound,
    Tool,
    ToolUnavailable,
    Trust,
)
from tools.outside.schemas import EXACT, Answered

LONGEST_TEXT = 1_000
_CONNECT_SECONDS = 5
_PLACEHOLDER = re.compile(r"%\(([a-z][a-z0-9_]{0,40})\)s")
_MORE_THAN_READS = """
SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
    OR has_database_privilege(current_database(), 'CREATE')
    OR EXISTS (SELECT FROM pg_roles p WHERE p.rolname = ANY (ARRAY['pg_write_all_data',
        'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_signal_backend'])
        AND pg_has_role(p.oid, 'MEMBER'))
    OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspname NOT LIKE 'pg\\_%%'
        AND has_schema_privilege(n.oid, 'CREATE'))
    OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
        AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE')
            WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f')
            THEN has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')
            ELSE false END)
FROM pg_roles r WHERE r.rolname = %(role)s
"""


class SourceUnfit(ValueError):
    """A SQL source is not written as it must be; the message says what is wrong."""


class ColumnType(StrEnum):
    """What a column, or a parameter, holds."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of an answer, or a parameter.

    Attributes:
        nullable: it may hold nothing.
    """

    type: ColumnType
    mark: Marked
    nullable: bool = False

    @property
    def annotation(self) -> Any:
        """The type of its values, with its marks."""
        kind = _TYPES[self.type]
        return Annotated[kind | None if self.nullable else kind, self.mark]


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("it is no number")
    return value


_TYPES: Mapping[ColumnType, Any] = {
    ColumnType.TEXT: str,
    ColumnType.INTEGER: Annotated[int, Field(ge=-EXACT, le=EXACT)],
    ColumnType.DECIMAL: Annotated[Decimal, AfterValidator(_finite)],
    ColumnType.BOOLEAN: bool,
    ColumnType.TIMESTAMP: Annotated[datetime, AwareDatetime],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlDatabase:
    """A database that sources read from.

    Attributes:
        within: the longest that one statement may take, and connecting beside it.
    """

    system: str
    conninfo: str = field(repr=False)
    within: timedelta
    most_bytes: int = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Select:
    """One source as it is written down.

    Attributes:
        query: one SELECT, with `%(name)s` for each parameter.
        columns: what of its result is read, by name.
        one: it answers with exactly one row, and not with `rows`.
    """

    name: str
    purpose: str
    query: str
    parameters: Mapping[str, Column]
    columns: Mapping[str, Column]
    one: bool
    most_rows: int = 100


def sql_source(database: SqlDatabase, select: Select) -> Tool:
    """The tool that reads by a SELECT; raises SourceUnfit."""
    _require_fit(select)
    title = "".join(part.title() for part in f"{database.system}_{select.name}".split("_"))
    row = create_model(f"{title}Row", __base__=Answered, __doc__="", **_fields(select.columns))
    # Of a list nobody knows more than of the least known of its columns.
    worst = max((one.mark.trust for one in select.columns.values()), key=list(Trust).index)
    rows = Annotated[list[row], Marked(trust=worst)]  # type: ignore[valid-type] # made at run time
    many = create_model(f"{title}Rows", __base__=Answered, __doc__="", rows=(rows, ...))
    arguments = create_model(title, __base__=Arguments, __doc__="", **_fields(select.parameters))
    reading = _Reading(database=database, select=select, row=row, many=many)
    return Tool(
        name=f"{database.system}.{select.name}",
        version=_version(select),
        purpose=select.purpose,
        effect=Effect.READ,
        arguments=arguments,
        result=row if select.one else many,
        perform=reading.perform,
        timeout=database.within + timedelta(seconds=_CONNECT_SECONDS),
        idempotent=True,
    )


def _fields(columns: Mapping[str, Column]) -> dict[str, Any]:
    return {name: (column.annotation, ...) for name, column in columns.items()}


def _require_fit(select: Select) -> None:
    found = set(_PLACEHOLDER.findall(select.query))
    if "%" in _PLACEHOLDER.sub("", select.query).replace("%%", ""):
        raise SourceUnfit("a percent sign that stands for itself is written twice")
    if found != select.parameters.keys():
        odd = ", ".join(sorted(found ^ select.parameters.keys()))
        raise SourceUnfit(f"its parameters are not those of the query: {odd}")
    if not select.columns:
        raise SourceUnfit("it reads no column")
    for name in (*select.columns, *select.parameters):
        if hasattr(Answered, name):
            raise SourceUnfit(f"a column cannot be called {name}")


def _version(select: Select) -> str:
    columns = [
        {name: [one.type, one.nullable, one.mark.field_class, one.mark.trust] for name, one in some.items()}
        for some in (select.parameters, select.columns)
    ]
    whole = [select.query, select.one, select.most_rows, *columns]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """How one source reads."""

    database: SqlDatabase
    select: Select
    row: type[Answered]
    many: type[Answered]

    async def perform(self, arguments: Arguments, _call: Call) -> Record:
        """Read in a transaction that can only read, on a connection of its own."""
        try:
            rows = await self._rows({name: getattr(arguments, name) for name in self.select.parameters})
            found = [self.row.model_validate(row) for row in rows]
        except psycopg.Error as error:  # its words may hold what a row holds, or where the server is
            raise ToolUnavailable(f"{self.database.system}: {type(error).__name__}") from error
        except ValueError as error:
            raise ToolUnavailable(f"{self.database.system} answers what was not declared") from error
        if not self.select.one:
            return self.many.model_validate({"rows": found})
        if not found:
            raise RecordNotFound(f"there is no row of {self.select.name} by this")
        if len(found) > 1:
            raise ToolUnavailable(f"there are several rows of {self.select.name} by this")
        return found[0]

    async def _rows(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        milliseconds = int(self.database.within.total_seconds() * 1000)
        connection = await AsyncConnection.connect(
            self.database.conninfo,
            connect_timeout=_CONNECT_SECONDS,
            options=f"-c default_transaction_read_only=on -c statement_timeout={milliseconds}",
        )
        async with connection:
            await connection.set_read_only(True)
            await self._require_reader(connection)
            # With parameters, even if there are none, a statement is one statement and no more.
            cursor = await connection.execute(self._statement(), dict(values))
            found = await cursor.fetchmany(self.select.most_rows + 1)
            await connection.rollback()
        return [dict(zip(self.select.columns, row, strict=False)) for row in self._bounded(found)]

    def _statement(self) -> Any:
        """The SELECT as a part of another one: what is no SELECT cannot stand there.

        Of a row that is too large, nothing but its size is sent.
        """
        size, most = SQL("octet_length(source::text)"), Literal(self.database.most_bytes)
        columns = SQL(", ").join(
            SQL("CASE WHEN {} <= {} THEN source.{} END").format(size, most, Identifier(name))
            for name in self.select.columns
        )
        query = SQL(self.select.query)  # from the configuration, and no user's
        limit = Literal(self.select.most_rows + 1)
        return SQL("SELECT {}, {} FROM (\n{}\n) AS source LIMIT {}").format(columns, size, query, limit)

    def _bounded(self, found: list[TupleRow]) -> list[TupleRow]:
        if len(found) > self.select.most_rows:
            raise ToolUnavailable(f"{self.select.name} has more than {self.select.most_rows} rows")
        if sum(row[-1] for row in found) > self.database.most_bytes:
            raise ToolUnavailable(f"{self.select.name} is more than {self.database.most_bytes} bytes")
        return found

    async def _require_reader(self, connection: AsyncConnection[TupleRow]) -> None:
        """Raise ToolUnavailable if the role could write: the transaction is one lock, the role another."""
        role = {"role": connection.info.user}
        more = await (await connection.execute(_MORE_THAN_READS, role)).fetchone()
        if more is None or more[0]:
            raise ToolUnavailable(f"the role that {self.database.system} is read by may do more than read")
