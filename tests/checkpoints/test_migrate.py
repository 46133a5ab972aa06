"""Migrations: they make the schema, whoever runs them at once, and an unfit database is one clear line."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from checkpoints import database as databases
from checkpoints.database import drop_database, open_database
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.errors import DatabaseUnusable
from checkpoints.migrate import migrate, newest_revision, require_migrated
from checkpoints.schema import metadata

FOREIGN = ("checkpoint", "procrastinate_", "alembic_")


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    name = f"t_{uuid4().hex}"
    await postgres.create_database(name)
    yield postgres.url(name)
    await drop_database(postgres.url("postgres"), name)


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={"include_name": lambda name, _kind, _parents: not str(name).startswith(FOREIGN)},
    )
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_exactly_the_schema(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        await migrate(database)
        async with database.engine.connect() as connection:
            assert await connection.run_sync(differences) == []


async def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        revisions = await asyncio.gather(*(migrate(database) for _ in range(4)))
        await require_migrated(database)
    assert set(revisions) == {newest_revision()}


async def test_a_database_that_is_not_migrated_is_one_clear_line(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        with pytest.raises(DatabaseUnusable, match="run 'countersign migrate'"):
            await require_migrated(database)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://nobody@127.0.0.1:1/nothing", "cannot be reached"),
        ("mysql://localhost/x", "must name a Postgres, not mysql"),
        ("just words", "is not a database address"),
    ],
)
async def test_an_address_that_leads_nowhere_is_one_clear_line(url: str, says: str) -> None:
    with pytest.raises(DatabaseUnusable) as refused:
        async with open_database(url):
            pass
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_server_that_is_too_old_is_named(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseUnusable, match=r"is Postgres \d+; Countersign needs 99 or newer"):
        async with open_database(postgres.url("postgres")):
            pass
