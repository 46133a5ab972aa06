"""Changes of reviews as the database tells them: an id and a version each, when they commit."""

from collections.abc import AsyncGenerator

from psycopg import AsyncConnection

from checkpoints.database import Database

CHANNEL = "countersign_reviews"


async def review_changes(database: Database) -> AsyncGenerator[str | None]:
    """None once it listens, then `{"id", "version"}` of each review that changes, as JSON.

    It holds a connection of its own for as long as it is read; raises psycopg.Error.
    """
    async with await AsyncConnection.connect(database.conninfo, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        yield None
        async for notice in connection.notifies():
            yield notice.payload
