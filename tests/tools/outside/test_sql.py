"""SQL sources on a real Postgres: one SELECT, by a role that can only read, and nothing else by any trick."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import ValidationError

from checkpoints.database import parse_address, to_conninfo
from checkpoints.embedded import EmbeddedPostgres
from nodes.marks import mark_of
from tests.databases import SANDBOX, as_owner, clone
from tools.contract import Call, FieldClass, Marked, Record, RecordNotFound, Tool, ToolUnavailable, Trust
from tools.outside.sql import Column, ColumnType, Select, SourceUnfit, SqlDatabase, sql_source

OPEN = Marked(field_class=FieldClass.INTERNAL, trust=Trust.RECORD)
SAID = Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)
COLUMNS = {
    "bill_id": Column(type=ColumnType.TEXT, mark=OPEN),
    "amount": Column(type=ColumnType.DECIMAL, mark=OPEN),
    "remark": Column(type=ColumnType.TEXT, mark=SAID, nullable=True),
}
VENDOR = {"vendor": Column(type=ColumnType.TEXT, mark=OPEN)}
QUERY = "SELECT bill_id, amount, remark, secret FROM bills WHERE vendor = %(vendor)s ORDER BY bill_id"
SETUP = (
    (
        "CREATE TABLE bills"
        " (bill_id text, vendor text, amount numeric, remark text, secret text, at timestamptz)"
    ),
    (
        "INSERT INTO bills VALUES ('B-1', 'V-1', 10.50, 'Pay me at once.', 'x', '2026-11-01Z'),"
        " ('B-2', 'V-1', 3, NULL, 'x', '2026-11-02Z'), ('B-3', 'V-2', 1, '', 'x', '2026-11-03Z')"
    ),
    "CREATE SEQUENCE numbers",
    "CREATE FUNCTION erase() RETURNS int LANGUAGE sql AS 'DELETE FROM bills RETURNING 1'",
    (
        "CREATE FUNCTION erase_as_owner() RETURNS int LANGUAGE sql SECURITY DEFINER"
        " AS 'DELETE FROM bills RETURNING 1'"
    ),
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)


@pytest.fixture
async def books(postgres: EmbeddedPostgres, templates: None) -> AsyncIterator[str]:
    """A database with bills, as a role that may only read them."""
    async with clone(postgres, SANDBOX) as url:
        name = parse_address(url).database
        role = Identifier(f"reader_{name}")
        async with await psycopg.AsyncConnection.connect(as_owner(url), autocommit=True) as owner:
            for statement in SETUP:
                await owner.execute(statement.encode())
            await owner.execute(SQL("CREATE ROLE {} LOGIN").format(role))
            await owner.execute(SQL("GRANT SELECT ON bills TO {}").format(role))
        try:
            yield to_conninfo(parse_address(url).set(username=f"reader_{name}"))
        finally:
            async with await psycopg.AsyncConnection.connect(as_owner(url), autocommit=True) as owner:
                await owner.execute(SQL("DROP OWNED BY {}").format(role))
                await owner.execute(SQL("DROP ROLE {}").format(role))


def source(
    url: str,
    query: str = QUERY,
    *,
    one: bool = False,
    columns: Mapping[str, Column] = COLUMNS,
    parameters: Mapping[str, Column] = VENDOR,
    within: timedelta = timedelta(seconds=20),
    **more: Any,
) -> Tool:
    database = SqlDatabase(
        system="books", conninfo=url, within=within, most_bytes=more.pop("most_bytes", 10_000)
    )
    select = Select(
        name="bills",
        purpose="The bills of a vendor.",
        query=query,
        parameters=parameters,
        columns=columns,
        one=one,
        **more,
    )
    return sql_source(database, select)


async def read(tool: Tool, **values: Any) -> Record:
    return await tool.perform(tool.arguments.model_validate(values), Call(key="read"))


async def bills(url: str) -> int:
    async with await psycopg.AsyncConnection.connect(as_owner(url)) as owner:
        row = await (await owner.execute("SELECT count(*) FROM bills")).fetchone()
    assert row is not None
    return int(row[0])


async def test_rows_are_read_as_they_are_declared_and_nothing_beside(books: str) -> None:
    found = (await read(source(books), vendor="V-1")).model_dump()

    assert found == {
        "rows": [
            {"bill_id": "B-1", "amount": Decimal("10.50"), "remark": "Pay me at once."},
            {"bill_id": "B-2", "amount": Decimal(3), "remark": None},
        ]
    }
    assert (await read(source(books), vendor="nobody")).model_dump() == {"rows": []}


async def test_a_parameter_is_a_value_and_never_a_piece_of_sql(books: str) -> None:
    found = await read(source(books), vendor="' OR true; DROP TABLE bills; --")

    assert found.model_dump() == {"rows": []}
    assert await bills(books) == 3


async def test_one_row_is_a_record_and_none_or_several_are_not(books: str) -> None:
    one = "SELECT * FROM bills WHERE bill_id = %(vendor)s OR vendor = %(vendor)s"
    tool = source(books, one, one=True)

    assert (await read(tool, vendor="B-1")).model_dump()["bill_id"] == "B-1"
    with pytest.raises(RecordNotFound):
        await read(tool, vendor="B-9")
    with pytest.raises(ToolUnavailable, match="several"):
        await read(tool, vendor="V-1")


def test_columns_have_the_marks_that_they_were_given_and_a_list_those_of_its_worst() -> None:
    row = source("", one=True).result

    assert mark_of(row, "bill_id") == OPEN
    assert mark_of(row, "remark") == SAID
    assert mark_of(source("").result, "rows").trust is Trust.UNTRUSTED


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM bills RETURNING *",
        "WITH gone AS (DELETE FROM bills RETURNING *) SELECT * FROM gone",
        "SELECT * FROM bills; DELETE FROM bills",
        "SELECT * FROM bills) AS x; DELETE FROM bills; SELECT * FROM (SELECT 1",
        "SELECT * FROM bills) AS source; COMMIT; DELETE FROM bills; --",
        "COMMIT",
        "SELECT * INTO copied FROM bills",
        "SELECT * FROM bills FOR UPDATE",
        "INSERT INTO bills DEFAULT VALUES RETURNING *",
        "TRUNCATE bills",
        "SELECT 'x' AS bill_id, 1::numeric AS amount, erase()::text AS remark",
        "SELECT 'x' AS bill_id, 1::numeric AS amount, erase_as_owner()::text AS remark",
        "SELECT 'x' AS bill_id, nextval('numbers')::numeric AS amount, '' AS remark",
        (
            "SELECT set_config('transaction_read_only', 'off', true) AS bill_id, 1::numeric AS amount,"
            " erase_as_owner()::text AS remark"
        ),
        "SELECT pg_read_file('/etc/passwd') AS bill_id, 1::numeric AS amount, '' AS remark",
        "SELECT lo_from_bytea(0, 'x')::text AS bill_id, 1::numeric AS amount, '' AS remark",
        "nonsense",
    ],
)
async def test_what_is_not_a_read_does_nothing(books: str, query: str) -> None:
    with pytest.raises(ToolUnavailable):
        await read(source(books, query, parameters={}))

    assert await bills(books) == 3


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT INSERT ON bills TO {}",
        "GRANT UPDATE (remark) ON bills TO {}",
        "GRANT DELETE ON bills TO {}",
        "GRANT TRUNCATE ON bills TO {}",
        "GRANT USAGE ON SEQUENCE numbers TO {}",
        "GRANT CREATE ON SCHEMA public TO {}",
        "GRANT pg_read_server_files TO {}",
        "GRANT pg_write_all_data TO {}",
        "ALTER ROLE {} CREATEDB",
        "ALTER ROLE {} SUPERUSER",
    ],
)
async def test_a_role_that_could_write_reads_nothing(books: str, grant: str) -> None:
    reader = Identifier(str(parse_address(books).username))
    async with await psycopg.AsyncConnection.connect(as_owner(books), autocommit=True) as owner:
        await owner.execute(SQL(grant).format(reader))

    with pytest.raises(ToolUnavailable, match="may do more than read"):
        await read(source(books), vendor="V-1")


async def test_a_query_that_takes_too_long_is_ended(books: str) -> None:
    slow = "SELECT 'x' AS bill_id, 1::numeric AS amount, pg_sleep(60)::text AS remark"
    with pytest.raises(ToolUnavailable, match="QueryCanceled"):
        await read(source(books, slow, parameters={}, within=timedelta(milliseconds=200)))


async def test_too_many_rows_and_too_large_ones_are_refused_and_never_cut(books: str) -> None:
    with pytest.raises(ToolUnavailable, match="more than 1 rows"):
        await read(source(books, most_rows=1), vendor="V-1")
    with pytest.raises(ToolUnavailable, match="more than 10 bytes"):
        await read(source(books, most_bytes=10), vendor="V-1")
    large = "SELECT 'x' AS bill_id, 1::numeric AS amount, repeat('x', 50000000) AS remark"
    with pytest.raises(ToolUnavailable, match="bytes"):
        await read(source(books, large, parameters={}))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT bill_id, remark FROM bills",
        "SELECT bill_id, 'NaN'::numeric AS amount, remark FROM bills",
        "SELECT NULL::text AS bill_id, amount, remark FROM bills",
        "SELECT bill_id, true AS amount, remark FROM bills",
        "SELECT 5 AS bill_id, amount, remark FROM bills",
    ],
)
async def test_an_answer_that_is_not_what_was_declared_is_none(books: str, query: str) -> None:
    with pytest.raises(ToolUnavailable):
        await read(source(books, query, parameters={}))


async def test_times_are_aware_and_numbers_whole_where_that_is_said(books: str) -> None:
    columns = {
        "at": Column(type=ColumnType.TIMESTAMP, mark=OPEN),
        "many": Column(type=ColumnType.INTEGER, mark=OPEN),
        "yes": Column(type=ColumnType.BOOLEAN, mark=OPEN),
    }
    query = "SELECT max(at) AS at, count(*) AS many, true AS yes FROM bills"
    found = await read(source(books, query, parameters={}, columns=columns, one=True))

    assert found.model_dump() == {"at": datetime(2026, 11, 3, tzinfo=UTC), "many": 3, "yes": True}


async def test_a_server_that_is_not_there_names_no_address() -> None:
    with pytest.raises(ToolUnavailable) as away:
        await read(source("postgresql://hunter2:pw@127.0.0.1:9/none"), vendor="V-1")

    assert "hunter2" not in f"{away.value}{source('postgresql://hunter2@x/y')!r}"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT 1", "not those of the query: vendor"),
        ("SELECT %(vendor)s, %(other)s", "not those of the query: other"),
        ("SELECT 5 % 2, %(vendor)s", "percent sign"),
        ("SELECT %s, %(vendor)s", "percent sign"),
        ("SELECT %(vendor)d", "percent sign"),
    ],
)
def test_a_query_that_does_not_fit_its_parameters_is_refused(query: str, why: str) -> None:
    with pytest.raises(SourceUnfit, match=why):
        source("", query)


@pytest.mark.parametrize("wrong", [{}, {"vendor": 5}, {"vendor": None}, {"vendor": "x", "more": 1}])
def test_arguments_are_strict(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        source("").arguments.model_validate(wrong)


def test_the_version_is_another_one_whenever_the_source_is() -> None:
    other = COLUMNS | {"remark": Column(type=ColumnType.TEXT, mark=OPEN, nullable=True)}
    versions = [
        source("").version,
        source("", QUERY + " LIMIT 5").version,
        source("", columns=other).version,
        source("", one=True).version,
        source("", most_rows=5).version,
    ]

    assert len(set(versions)) == 5
    assert source("elsewhere").version == versions[0]
