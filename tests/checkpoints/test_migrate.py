"""Migrations: they make the schema, whoever runs them at once, and an unfit database is one clear line."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, MetaData

from checkpoints import database as databases
from checkpoints import limit_schema, record_schema, schema, setup_schema
from checkpoints.cases import get_case
from checkpoints.columns import metadata
from checkpoints.database import drop_database, open_database
from checkpoints.effects import effects_of
from checkpoints.embedded import APPLICATION, EmbeddedPostgres
from checkpoints.errors import DatabaseUnusable
from checkpoints.migrate import _upgrade, migrate, newest_revision, require_migrated
from checkpoints.reviews import ReviewKind, get_review
from checkpoints.votes import votes_on

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
    return list(compare_metadata(context, every_kind()))


def every_kind() -> MetaData:
    """The tables of the work, of the record, of limits and of what is set up."""
    several = (schema.cases, record_schema.audit_events, limit_schema.halts, setup_schema.schedules)
    known = {table.name for table in several}
    assert known <= metadata.tables.keys()
    return metadata


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


async def test_a_database_of_a_newer_version_is_neither_used_nor_migrated_by_this_one(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        await migrate(database)
        async with database.connection() as connection:
            await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        for asked in (require_migrated, migrate):
            with pytest.raises(DatabaseUnusable, match="at revision 9999, which is newer than this version"):
                await asked(database)


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


FIRST = """
INSERT INTO cases (id, workflow, workflow_version, event_source, event_id, event, title, opened_by, status,
                   created_at, updated_at)
VALUES ('c', 'refund', '1', '/s', 'e', '{}', 'A refund', 'service:shop', 'closed', now(), now());
INSERT INTO reviews (id, case_id, workflow, interrupt_id, action, digest, shown, ladder, risk, status,
                     opened_at, due_at, expires_at)
VALUES ('r', 'c', 'refund', 'i', '{"tool": "payments.refund", "proposer": "agent:policy"}', 'd',
        '{"verdict": {"row": "RF-91"}}', '[{"role": "support_lead", "people": 1, "why": "x"}]', 'medium',
        'open', now(), now() + interval '8 hours', now() + interval '7 days');
INSERT INTO votes (id, review_id, person, role, kind, digest, voted_at)
VALUES ('v', 'r', 'person:lee', 'support_lead', 'approve', 'd', now());
INSERT INTO grants (id, case_id, review_id, proposal_id, digest, action, basis, issued_at, expires_at)
VALUES ('g', 'c', 'r', 'p', 'd', '{"proposer": "agent:policy"}', '{}', now(), now());
INSERT INTO effects (key, case_id, grant_id, tool, tool_version, arguments, digest, state, intended_at)
VALUES ('k', 'c', 'g', 'payments.refund', '1', '{}', 'd', 'done', now())
"""


async def test_what_the_first_version_wrote_is_read_by_this_one(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        await asyncio.to_thread(_upgrade, database.conninfo, "0001")
        async with database.connection() as connection:
            await connection.execute(FIRST)
        await migrate(database)
        async with database.transaction() as tx:
            case, (effect,) = await get_case(tx, "c"), await effects_of(tx, "c")
            review, (vote,) = await get_review(tx, "r"), await votes_on(tx, "r")

    assert (case.rules, effect.proposer) == ({}, "agent:policy")
    assert (review.tool, review.rule, review.title) == ("payments.refund", "RF-91", "A refund")
    assert (review.roles, review.kind, review.reversible) == (["support_lead"], ReviewKind.GATE, False)
    assert review.due == timedelta(hours=8)
    assert (vote.humans, vote.rung) == (["lee"], 0)


AUDITED = """
INSERT INTO audit_events (id, kind, actor, at, data, leaf) VALUES ('e', 'k', 'a', now(), '{}', sha256(''));
INSERT INTO audit_leaves (index, seq, leaf) SELECT 0, seq, leaf FROM audit_events
"""


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
async def test_a_log_of_each_earlier_revision_stays_and_is_only_added_to_from_then_on(
    postgres: EmbeddedPostgres, empty_url: str, revision: str
) -> None:
    await postgres.create_role()
    async with open_database(empty_url) as database:
        await asyncio.to_thread(_upgrade, database.conninfo, "0001")
        async with database.connection() as connection:
            await connection.execute(FIRST + ";" + AUDITED)
        await asyncio.to_thread(_upgrade, database.conninfo, revision)
        await migrate(database, APPLICATION)
    name = empty_url.split("?", maxsplit=1)[0].rpartition("/")[2]
    async with open_database(postgres.url(name, APPLICATION)) as runs, runs.transaction() as tx:
        events = await tx.driver.execute("SELECT id FROM audit_events JOIN audit_leaves USING (seq)")
        assert await events.fetchall() == [("e",)]
        assert (await get_case(tx, "c")).id == "c"
        with pytest.raises(InsufficientPrivilege):
            await tx.driver.execute("DELETE FROM audit_events")
        await tx.driver.rollback()
