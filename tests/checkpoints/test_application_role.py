"""The role that the application runs as adds to the log, and can neither change it nor get the right to."""

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection, errors
from psycopg.sql import SQL, Identifier

from checkpoints.application_role import AUDIT_TABLES, TABLES, standing, tables_out_of_reach
from checkpoints.columns import metadata
from checkpoints.database import drop_database, open_database
from checkpoints.embedded import APPLICATION, SUPERUSER, EmbeddedPostgres
from checkpoints.errors import DatabaseUnusable
from checkpoints.migrate import migrate, require_migrated
from tests.databases import as_owner

COLUMN = {"audit_events": "actor", "audit_leaves": "leaf", "audit_heads": "root"} | {
    "audit_nodes": "hash",
    "audit_anchors": "note",
}
ROWS = """
INSERT INTO audit_events (id, kind, actor, at, data, leaf) VALUES ('e', 'k', 'a', now(), '{}', sha256(''));
INSERT INTO audit_leaves (index, seq, leaf) SELECT 0, seq, leaf FROM audit_events;
INSERT INTO audit_heads (size, root, peaks, at) VALUES (1, sha256(''), sha256(''), now());
INSERT INTO audit_nodes (level, index, hash) VALUES (0, 0, sha256(''));
INSERT INTO audit_anchors (anchor, size, note, at) VALUES ('a', 1, 'n', now());
"""
CHANGES = {
    "update": "UPDATE {table} SET {column} = {column}",
    "update of no row": "UPDATE {table} SET {column} = {column} WHERE false",
    "delete": "DELETE FROM {table}",
    "truncate": "TRUNCATE {table} CASCADE",
}
RIGHTS = {
    "stop the trigger": "ALTER TABLE {table} DISABLE TRIGGER {table}_insert_only",
    "drop the trigger": "DROP TRIGGER {table}_insert_only ON {table}",
    "drop the table": "DROP TABLE {table} CASCADE",
    "own the table": "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "lock it": "SELECT FROM {table} FOR UPDATE",
    "replace what refuses": (
        "CREATE OR REPLACE FUNCTION countersign_refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NULL; END'"
    ),
    "play the replica": "SET session_replication_role = replica",
    "become the owner": "SET ROLE postgres",
    "become the superuser": "SET SESSION AUTHORIZATION postgres",
    "raise itself": "ALTER ROLE CURRENT_USER SUPERUSER",
    "make a role": "CREATE ROLE mallory SUPERUSER",
    "make a table": "CREATE TABLE mine (x int)",
    "make a trigger": (
        "CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION countersign_tell_review()"
    ),
    "make a rule": "CREATE RULE r AS ON INSERT TO {table} DO INSTEAD NOTHING",
    "turn a sequence back": "SELECT setval('audit_events_seq_seq', 1)",
    "run a program": "COPY {table} FROM PROGRAM 'true'",
}


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator[str]:
    """The application's address of a database with a row in each audit table, which it has added itself."""
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(ROWS)
    yield database_url
    async with await AsyncConnection.connect(as_owner(database_url), autocommit=True) as connection:
        for table in AUDIT_TABLES:
            rows = await connection.execute(SQL("SELECT FROM {}").format(Identifier(table)))
            assert rows.rowcount == 1, table


async def attempt(url: str, deed: str, table: str) -> psycopg.Error | None:
    """What the database answers to a deed on a table; None if it lets it happen."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        try:
            await connection.execute(deed.format(table=table, column=COLUMN[table]).encode())
        except psycopg.Error as error:
            return error
    return None


@pytest.mark.parametrize("table", AUDIT_TABLES)
async def test_the_application_can_neither_change_the_log_nor_get_the_right_to(
    filled: str, table: str, subtests: pytest.Subtests
) -> None:
    for name, deed in (CHANGES | RIGHTS).items():
        with subtests.test(name):
            assert isinstance(await attempt(filled, deed, table), errors.InsufficientPrivilege)


@pytest.mark.parametrize("table", AUDIT_TABLES)
async def test_what_the_application_grants_itself_gives_it_nothing(filled: str, table: str) -> None:
    assert await attempt(filled, "GRANT ALL ON {table} TO CURRENT_USER", table) is None  # only a warning
    assert isinstance(await attempt(filled, CHANGES["update"], table), errors.InsufficientPrivilege)


@pytest.mark.parametrize("table", AUDIT_TABLES)
async def test_a_trigger_refuses_the_owner_too(filled: str, table: str, subtests: pytest.Subtests) -> None:
    for name, deed in CHANGES.items():
        with subtests.test(name):
            error = await attempt(as_owner(filled), deed, table)
            assert error is not None
            assert error.sqlstate == "CS002"
            assert "is only ever added to" in str(error)


async def test_the_application_is_a_plain_role(postgres: EmbeddedPostgres, database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
            " (SELECT count(*) FROM pg_auth_members WHERE member = r.oid),"
            " (SELECT count(*) FROM pg_class WHERE relowner = r.oid)"
            " FROM pg_roles r WHERE rolname = current_user"
        )
        assert await cursor.fetchone() == (False, False, False, False, False, 0, 0)


def test_what_the_application_may_do_is_said_for_each_of_our_tables() -> None:
    assert set(metadata.tables) <= set(TABLES)


async def test_the_standing_of_each_role_is_told(database_url: str) -> None:
    async with open_database(database_url) as database, database.connection() as connection:
        runs = await standing(connection)
    async with open_database(as_owner(database_url)) as database, database.connection() as connection:
        owns = await standing(connection)
    assert (runs.role, runs.may_alter_log, runs.warning) == (APPLICATION, False, None)
    assert (owns.role, owns.may_alter_log) == (SUPERUSER, True)
    assert "owns the audit log" in str(owns.warning)


@pytest.mark.parametrize("privilege", ["UPDATE", "UPDATE (actor)", "DELETE", "TRUNCATE", "TRIGGER"])
async def test_a_role_that_was_given_more_is_told(database_url: str, owner_url: str, privilege: str) -> None:
    async with await AsyncConnection.connect(owner_url, autocommit=True) as owner:
        await owner.execute(f"GRANT {privilege} ON audit_events TO {APPLICATION}".encode())
    async with open_database(database_url) as database, database.connection() as connection:
        assert (await standing(connection)).may_alter_log


async def test_to_migrate_again_takes_back_what_is_too_much_and_gives_what_is_missing(
    database_url: str, owner_url: str
) -> None:
    async with await AsyncConnection.connect(owner_url, autocommit=True) as owner:
        await owner.execute(f"GRANT ALL ON audit_events TO {APPLICATION}".encode())
        await owner.execute(f"REVOKE ALL ON cases, checkpoints FROM {APPLICATION}".encode())
    async with open_database(database_url) as runs, open_database(owner_url) as owns:
        with pytest.raises(DatabaseUnusable, match=r"may not use cases, checkpoints: run 'countersign migr"):
            await require_migrated(runs)
        await migrate(owns, APPLICATION)
        await require_migrated(runs)
        async with runs.connection() as connection:
            assert not (await standing(connection)).may_alter_log
            assert await tables_out_of_reach(connection) == []


async def test_a_role_without_any_rights_is_one_clear_line(postgres: EmbeddedPostgres) -> None:
    name = f"t_{uuid4().hex}"
    await postgres.create_database(name)
    async with open_database(postgres.url(name)) as owns:
        await migrate(owns)
    async with open_database(postgres.url(name, APPLICATION)) as runs:
        with pytest.raises(DatabaseUnusable, match="COUNTERSIGN_MIGRATE_URL"):
            await require_migrated(runs)
    await drop_database(postgres.url("postgres"), name)
