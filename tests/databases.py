"""Databases for tests: templates made once a run, and a clone of one for each test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
from alembic.script import ScriptDirectory
from psycopg import sql

from checkpoints.database import open_database, parse_address, to_conninfo
from checkpoints.embedded import APPLICATION, SUPERUSER, EmbeddedPostgres
from checkpoints.migrate import _config, _upgrade, migrate
from tools.sandbox.database import open_sandbox
from tools.sandbox.founding import found

OURS = "template_countersign"
SANDBOX = "template_sandbox"
REVISIONS = [one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
"""All revisions of our tables, the first one first."""
_SEND_OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
_LOOK_AGAIN_SECONDS = 0.002


async def make_templates(postgres: EmbeddedPostgres, as_of: datetime) -> None:
    """Make both templates, by whichever worker comes first; the others wait for it."""
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(1)")
        found_rows = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (SANDBOX,))
        if await found_rows.fetchone() is None:
            await postgres.create_role()
            await postgres.create_database("making_countersign")
            await postgres.create_database("making_sandbox")
            async with open_database(postgres.url("making_countersign")) as database:
                await migrate(database, APPLICATION)
            async with open_sandbox(postgres.url("making_sandbox"), clock=lambda: as_of) as sandbox:
                await found(sandbox, as_of=as_of)
            await connection.execute(_rename("making_countersign", OURS))
            await connection.execute(_rename("making_sandbox", SANDBOX))


async def make_revision(postgres: EmbeddedPostgres, revision: str) -> str:
    """A template of our tables as they were at a revision, made from the one before it; returns its name."""
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(1)")
        before = "template0"
        for one in REVISIONS[: REVISIONS.index(revision) + 1]:
            name = f"template_{one}"
            known = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if await known.fetchone() is None:
                await connection.execute(_copy("making_revision", before))
                await asyncio.to_thread(_upgrade, postgres.url("making_revision"), one)
                await connection.execute(_rename("making_revision", name))
            before = name
    return before


@asynccontextmanager
async def clone(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """A fresh database like the template, dropped afterwards; ours is opened as the application's role."""
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        name = await _fresh(connection, template)
        try:
            yield _url(postgres, name, template)
        finally:
            await _left(connection, name)
            await connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def copied(postgres: EmbeddedPostgres, template: str) -> str:
    """The address of a fresh database like the template, that stays for as long as the server."""
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        return _url(postgres, await _fresh(connection, template), template)


def as_owner(url: str) -> str:
    """The same database as the role that owns it, and may do everything."""
    return to_conninfo(parse_address(url).set(username=SUPERUSER))


async def tamper(url: str, *statements: str) -> None:
    """Do what somebody with all rights to the database can do; no constraint and no trigger stops them."""
    async with await psycopg.AsyncConnection.connect(as_owner(url)) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor = await connection.execute(statement.encode())
            assert cursor.rowcount > 0, f"this changes nothing: {statement}"


async def _left(connection: psycopg.AsyncConnection[Any], name: str) -> None:
    """Send everybody out of a database, and wait until they are: DROP would look ten times a second."""
    while await (await connection.execute(_SEND_OUT, (name,))).fetchone():  # noqa: ASYNC110 - of the server's
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _fresh(connection: psycopg.AsyncConnection[Any], template: str) -> str:
    name = f"t_{uuid4().hex}"
    await connection.execute(_copy(name, template))
    return name


def _url(postgres: EmbeddedPostgres, name: str, template: str) -> str:
    return postgres.url(name, APPLICATION if template == OURS else SUPERUSER)


def _copy(name: str, template: str) -> sql.Composed:
    quickly = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
    return sql.SQL(quickly).format(sql.Identifier(name), sql.Identifier(template))


def _rename(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
