"""Addresses: where the databases are, and how ours is brought to what this version needs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from checkpoints.application_role import Standing, standing
from checkpoints.database import Database, open_database, sibling
from checkpoints.embedded import APPLICATION, EmbeddedPostgres, embedded_postgres
from checkpoints.errors import DatabaseUnusable
from checkpoints.migrate import migrate, require_migrated
from graphs.settings import Settings

logger = logging.getLogger(__name__)

DATABASE = "countersign"
SANDBOX = "countersign_sandbox"
_WATCH_SECONDS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where the databases are: ours as we run, ours as whoever owns it, and the sandbox company's."""

    ours: str
    owner: str
    sandbox: str


@asynccontextmanager
async def addresses(settings: Settings) -> AsyncIterator[Addresses]:
    """The addresses of our database and of the sandbox's, on the embedded server unless one is set."""
    if settings.database_url is not None:
        url = settings.database_url
        sandbox = settings.sandbox_url or sibling(url, SANDBOX)
        yield Addresses(ours=url, owner=settings.migrate_url or url, sandbox=sandbox)
        return
    async with embedded_postgres(settings.home / "postgres") as server, kept_running(server):
        await server.create_role()
        await server.create_database(DATABASE)
        await server.create_database(SANDBOX)
        yield Addresses(
            ours=server.url(DATABASE, APPLICATION),
            owner=server.url(DATABASE),
            sandbox=settings.sandbox_url or server.url(SANDBOX),
        )


async def bring_up(where: Addresses) -> Standing:
    """Migrate our database as its owner and let the role that we run as use it; returns its standing.

    Raises:
        DatabaseUnusable: one of the two addresses leads nowhere, or they lead to two databases.
    """
    async with open_database(where.ours) as ours, open_database(where.owner) as owner:
        async with ours.connection() as ours_, owner.connection() as owners:
            runs, owns = await standing(ours_), await standing(owners)
        await migrate(owner, None if runs.role == owns.role else runs.role)
        await require_migrated(ours)
        async with ours.connection() as connection:
            return await standing(connection)


async def warned(database: Database) -> Standing:
    """The standing of the role we run as, with a line in the log if it is more than it should be."""
    async with database.connection() as connection:
        found = await standing(connection)
    if found.warning:
        logger.warning("%s", found.warning)
    return found


@asynccontextmanager
async def kept_running(server: EmbeddedPostgres) -> AsyncIterator[None]:
    """Start the embedded server again, for as long as the block lasts, whenever somebody killed it."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await server.ensure_running()
            except DatabaseUnusable as error:
                logger.warning("the embedded database does not come back: %s", error)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})
