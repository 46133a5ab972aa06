"""Every earlier revision, with rows in all of its tables, comes to this one and has lost none of them."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb
from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB

from checkpoints import limit_schema, record_schema, schema, setup_schema
from checkpoints.cases import Status, get_case
from checkpoints.columns import metadata
from checkpoints.database import open_database
from checkpoints.effects import effects_of
from checkpoints.embedded import APPLICATION, EmbeddedPostgres
from checkpoints.exceptions import list_standstills
from checkpoints.migrate import migrate, require_migrated
from checkpoints.reviews import get_review
from checkpoints.votes import votes_on
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.databases import REVISIONS, clone, make_revision
from tests.house import LEE, House, at_once, require_honest_record
from tools.sandbox.cast import CAST

OLDER = REVISIONS[:-1]
NEWEST_FEW = OLDER[-5:]
FOREIGN = ("checkpoint", "procrastinate_", "alembic_")
ROWS = 3
"""How many rows each table gets."""
MEANT: dict[str, dict[str, Any]] = {
    "cases": {
        "status": ("waiting_review", "blocked", "closed"),
        "reason": (None, "unexpected_error", None),
        "owner": ("support_lead", "operations", None),
    },
    "reviews": {
        "status": ("open", "approved", "superseded"),
        "action": {"tool": "payments.refund", "proposer": "agent:policy"},
        "shown": {"verdict": {"row": "RF-91"}},
        "ladder": [{"role": "support_lead", "people": 1, "why": "x"}],
        "kind": "gate",
        "risk": "medium",
    },
    "votes": {"person": "person:lee", "kind": ("approve", "reject", "comment"), "role": "support_lead"},
    "grants": {"action": {"proposer": "agent:policy"}},
    "effects": {"state": ("intended", "done", "failed"), "receipt": (None, {"id": "R-1"}, None)},
    "rule_tables": {"state": ("draft", "in_force", "superseded")},
    "exceptions": {"status": "blocked", "closed_at": ("now", None, "now")},
}
"""What rows say where it matters, the same in all or one for each; the rest is made from its type."""
Rows = dict[str, list[dict[str, Any]]]


def tables(connection: Connection, foreign: tuple[str, ...] = FOREIGN) -> list[Table]:
    """The tables as they are in this database, each after those that it refers to."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: not name.startswith(foreign))
    return list(found.sorted_tables)


def value(table: str, column: Column[Any], row: int, made: Rows) -> Any:
    """What a row has in a column: what is meant, the row that it refers to, or anything of its type."""
    if column.name in MEANT.get(table, {}):
        meant = MEANT[table][column.name]
        one = meant[row] if isinstance(meant, tuple) else meant
        return one if one is None or not isinstance(column.type, JSONB) else Jsonb(one)
    if column.nullable:
        return None
    for foreign in column.foreign_keys:
        return made[foreign.column.table.name][row][foreign.column.name]
    match column.type:
        case JSONB():
            return Jsonb({"row": row})
        case ARRAY():
            return [f"one {row}"]
        case Boolean():
            return False
        case Integer():
            return row
        case DateTime():
            return "now"
        case LargeBinary():
            return bytes([row]) * 32
        case _:
            return f"{column.name} {row}"


async def filled(connection: AsyncConnection[Any], known: list[Table]) -> Rows:
    """Put rows into every table, and give back what stands there then."""
    made: Rows = {}
    for table in known:
        columns = [one for one in table.columns if one.computed is None and one.identity is None]
        made[table.name] = []
        for row in range(ROWS):
            given = {one.name: value(table.name, one, row, made) for one in columns}
            made[table.name] += await insert(connection, table.name, given)
    return made


async def insert(connection: AsyncConnection[Any], table: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    names = SQL(", ").join(map(Identifier, given))
    places = SQL(", ").join([SQL("%s")] * len(given))
    query = SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) RETURNING *")
    cursor = await connection.execute(query.format(Identifier(table), names, places), list(given.values()))
    return await cursor.fetchall()


def key_of(table: str) -> list[str]:
    return [column.name for column in metadata.tables[table].primary_key]


def differences(connection: Connection) -> list[object]:
    several = (schema.cases, record_schema.audit_events, limit_schema.halts, setup_schema.schedules)
    known = {table.name for table in several}
    assert known <= metadata.tables.keys()
    options = {"include_name": lambda name, _kind, _parents: not str(name).startswith(FOREIGN)}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


@pytest.mark.parametrize("revision", OLDER)
async def test_rows_of_each_earlier_revision_are_all_there_and_held_to_the_new_rules(
    postgres: EmbeddedPostgres, revision: str
) -> None:
    await postgres.create_role()
    template = await make_revision(postgres, revision)
    async with clone(postgres, template) as url, open_database(url) as database:
        async with database.engine.connect() as connection:
            known = await connection.run_sync(tables)
        async with await connected(url) as connection:
            before = await filled(connection, known)
        await migrate(database, APPLICATION)
        await require_migrated(database)

        async with database.engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        async with await connected(url) as connection:
            for table, rows in before.items():
                await all_there(connection, table, rows)
            await held(connection, before["cases"][0]["id"])
        await read(database, before)


async def all_there(connection: AsyncConnection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    """Each row is there, and says what it said, in every column that it still has."""
    cursor = await connection.execute(f'SELECT * FROM "{table}"'.encode())  # noqa: S608
    now = {tuple(row[name] for name in key_of(table)): row for row in await cursor.fetchall()}
    for row in rows:
        after = now[tuple(row[name] for name in key_of(table))]
        kept = row.keys() & after.keys()
        assert {name: after[name] for name in kept} == {name: row[name] for name in kept}, table


async def held(connection: AsyncConnection[Any], case_id: str) -> None:
    """What every revision before knew nothing of holds for its rows: triggers and keys."""
    for table in ("audit_events", "audit_leaves", "audit_heads", "audit_nodes", "audit_anchors"):
        with pytest.raises(psycopg.Error) as refused:
            await connection.execute(f"DELETE FROM {table}".encode())  # noqa: S608
        assert refused.value.sqlstate == "CS002"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await connection.execute("UPDATE commands SET case_id = 'nowhere'")
    await connection.execute(
        "UPDATE cases SET status = 'failed', reason = 'x', owner = 'y' WHERE id = %s", [case_id]
    )
    cursor = await connection.execute(
        "SELECT reason, owner FROM exceptions WHERE case_id = %s AND status = 'failed'", [case_id]
    )
    assert await cursor.fetchall() == [{"reason": "x", "owner": "y"}]
    with pytest.raises(psycopg.Error) as stale:
        await connection.execute(
            "SELECT countersign_advance(%s, 'strange', 'child', NULL, NULL, NULL, now())", [case_id]
        )
    assert stale.value.sqlstate == "CS001"


async def read(database: Any, before: dict[str, list[dict[str, Any]]]) -> None:
    """The code of today reads what the old rows have become."""
    async with database.transaction() as tx:
        for number, row in enumerate(before["cases"]):
            case = await get_case(tx, row["id"])
            assert (len(case.sealing_key) > 0, case.thread_id != "") == (True, True)
            assert [effect.proposer for effect in await effects_of(tx, case.id)] != []
            review = await get_review(tx, before["reviews"][number]["id"])
            assert review.tool != ""
            (vote,) = await votes_on(tx, review.id)
            assert vote.humans != []
        stuck = {one.standstill.case_id for one in (await list_standstills(tx, limit=50)).items}
    assert before["cases"][1]["id"] in stuck


@pytest.mark.parametrize("revision", NEWEST_FEW)
async def test_a_case_that_waited_under_a_revision_before_goes_on_under_this_one(
    house: House, settings: Settings, postgres: EmbeddedPostgres, revision: str
) -> None:
    case = await house.after("clean_120_00_1")
    template = await make_revision(postgres, revision)
    async with clone(postgres, template) as url:
        async with open_database(url) as database, await connected(url) as there:
            await AsyncPostgresSaver(there).setup()
            async with database.engine.connect() as connection:
                known = await connection.run_sync(
                    tables, ("procrastinate_", "alembic_", "checkpoint_migrations")
                )
            for table in known:
                await taken_over(house, there, table)
            await there.execute("SELECT setval(pg_get_serial_sequence('audit_events', 'seq'), 1000000)")
            await migrate(database, APPLICATION)

        runs = replace(settings, database_url=postgres.url(name_of(url), APPLICATION))
        async with open_parts(runs, clock=house.parts.clock, sleep=at_once) as parts:
            later = House(parts)
            assert (await later.decided(await later.review(case.id), LEE)).status is Status.CLOSED
            assert len(await later.refunds(CAST["clean_120_00_1"].order_id)) == 1
            await require_honest_record(parts)


async def taken_over(house: House, there: AsyncConnection[Any], table: Table) -> None:
    """Put the rows of the house's own table into another database's, as far as that has their columns."""
    computed = {one.name for one in table.columns if one.computed is not None}
    for row in await house.rows(f'SELECT * FROM "{table.name}"'):  # noqa: S608 - a table of ours
        given = {name: row[name] for name in row if name in table.columns and name not in computed}
        await insert(there, table.name, {name: wrapped(table, name, one) for name, one in given.items()})


def wrapped(table: Table, name: str, one: Any) -> Any:
    return Jsonb(one) if one is not None and isinstance(table.columns[name].type, JSONB) else one


def name_of(url: str) -> str:
    return url.split("?", maxsplit=1)[0].rpartition("/")[2]


async def connected(url: str) -> AsyncConnection[Any]:
    return await AsyncConnection.connect(url, autocommit=True, prepare_threshold=0, row_factory=dict_row)
