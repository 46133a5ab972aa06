"""Bringing a database to this version: our tables by Alembic, then those of the saver and the queue."""

import asyncio
import importlib.util
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import DictRow, dict_row
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import ProgrammingError

from checkpoints.application_role import grant_application, tables_out_of_reach
from checkpoints.database import Database, parse_address
from checkpoints.errors import DatabaseUnusable

_MY_TURN = "SELECT pg_try_advisory_lock(hashtextextended('countersign migrations', 0)) AS mine"
_LOOK_AGAIN_SECONDS = 0.1
_OTHER_ROLE = "run 'countersign migrate' with the owner's address in COUNTERSIGN_MIGRATE_URL"


async def migrate(database: Database, application: str | None = None) -> str:
    """Migrate to the newest revision, one process at a time; returns that revision.

    Args:
        database: opened as the role that owns the tables, or is to own them.
        application: the role that Countersign runs as, if it is another: it is given what it needs.

    Raises:
        DatabaseUnusable: the role may not change the tables, or make any, or they are a newer version's.
    """
    try:
        return await _migrate(database, application)
    except (InsufficientPrivilege, ProgrammingError) as error:
        cause = error.orig if isinstance(error, ProgrammingError) else error
        if not isinstance(cause, InsufficientPrivilege):
            raise
        raise DatabaseUnusable(f"this role may not migrate: {_OTHER_ROLE}") from error


async def _migrate(database: Database, application: str | None) -> str:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    async with await AsyncConnection.connect(
        database.conninfo, autocommit=True, prepare_threshold=0, row_factory=dict_row
    ) as connection:
        await _wait_for_turn(connection)
        await asyncio.to_thread(_upgrade, database.conninfo)
        await AsyncPostgresSaver(connection).setup()
        if application is not None:
            await grant_application(connection, application)
    return newest_revision()


async def _wait_for_turn(connection: AsyncConnection[DictRow]) -> None:
    # Asked again and again: whoever waits inside Postgres holds a snapshot, and CREATE INDEX CONCURRENTLY
    # waits for all snapshots, so the two would wait for each other.
    while True:
        row = await (await connection.execute(_MY_TURN)).fetchone()
        if row is not None and row["mine"]:
            return
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def require_migrated(database: Database) -> None:
    """Raise DatabaseUnusable, saying what to run, unless the database is at the newest revision, and ours."""
    newest = newest_revision()
    try:
        async with database.engine.connect() as connection:
            current = await connection.run_sync(_current_revision)
    except ProgrammingError as error:
        raise DatabaseUnusable(f"the revision of the database cannot be read: {_OTHER_ROLE}") from error
    _require_known(current)
    if current != newest:
        raise DatabaseUnusable(
            f"the database is at revision {current or 'none'}, this version needs {newest}: "
            "run 'countersign migrate'"
        )
    async with database.connection() as own:
        if out_of_reach := await tables_out_of_reach(own):
            raise DatabaseUnusable(f"this role may not use {', '.join(out_of_reach)}: {_OTHER_ROLE}")


@cache
def newest_revision() -> str:
    """The revision this version of the code is written for."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def _upgrade(conninfo: str, revision: str = "head") -> None:
    engine = create_engine(parse_address(conninfo).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            _require_known(_current_revision(connection))
        with engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def _require_known(current: str | None) -> None:
    """Refuse a database that a newer version has migrated: while a deploy rolls, it may come before us."""
    known = {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseUnusable(
            f"the database is at revision {current}, which is newer than this version: run the newer one"
        )


def _config() -> Config:
    spec = importlib.util.find_spec("checkpoints")
    assert spec is not None
    assert spec.origin is not None
    config = Config()
    config.set_main_option("script_location", str(Path(spec.origin).parent / "migrations"))
    return config


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
