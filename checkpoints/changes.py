"""Changes of reviews as the database tells them: an id and a version each, when they commit."""

from collections.abc import AsyncIterator

from psycopg import AsyncConnection

from checkpoints.database import Database

CHANNEL = "countersign_reviews"


async def review_changes(database: Database) -> AsyncIterator[str]:
    """`{"id", "version"}` of each review that changes from now on, as JSON; raises psycopg.Error.

    It holds a connection of its own for as long as it is read.
    """
    async with await AsyncConnection.connect(database.conninfo, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        async for notice in connection.notifies():
            yield notice.payload
