"""An outage of one test's own database, while the server that all tests share goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.sql import SQL, Identifier

from checkpoints.embedded import EmbeddedPostgres
from graphs.settings import Settings


@asynccontextmanager
async def closed(postgres: EmbeddedPostgres, settings: Settings) -> AsyncIterator[None]:
    """Nobody gets into our database while the block lasts, and whoever was in it is thrown out."""
    assert settings.database_url is not None
    name = Identifier(settings.database_url.split("?")[0].rpartition("/")[2])
    allow = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as admin:
        await admin.execute(allow.format(name, SQL("false")))
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (name.as_string().strip('"'),),
        )
        try:
            yield
        finally:
            await admin.execute(allow.format(name, SQL("true")))
