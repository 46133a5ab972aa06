"""Nobody waits for the database for ever: neither for a connection nor for a statement."""

import pytest
from psycopg.errors import QueryCanceled

from checkpoints import database as database_
from checkpoints.database import Database, open_database
from checkpoints.errors import DatabaseAway

ASKED = ("statement_timeout", "idle_in_transaction_session_timeout", "tcp_user_timeout")


async def test_every_connection_of_the_pool_has_its_time_outs(database_url: str) -> None:
    async with open_database(database_url) as database:
        async with database.transaction() as tx:
            said = [
                (await (await tx.driver.execute(f"SHOW {name}".encode())).fetchone()) for name in ASKED[:2]
            ]
            parameters = tx.driver.info.get_parameters()
        async with database.connection() as connection:
            alike = await (await connection.execute(b"SHOW statement_timeout")).fetchone()

    assert [row and row[0] for row in said] == ["5min", "10min"]
    assert alike == ("5min",)
    assert {
        name: parameters[name] for name in ("connect_timeout", "tcp_user_timeout", "keepalives_idle")
    } == {
        "connect_timeout": "10",
        "tcp_user_timeout": "30000",
        "keepalives_idle": "30",
    }


async def test_whoever_gets_no_connection_in_time_is_told_that_the_database_is_away(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_, "PATIENCE", database_.PATIENCE / 100)
    async with open_database(database_url, connections=1) as database:
        async with database.transaction(), database.transaction():
            with pytest.raises(DatabaseAway):
                async with database.transaction():
                    pass
            with pytest.raises(DatabaseAway):
                async with database.connection():
                    pass
        async with database.transaction() as tx:
            assert await (await tx.driver.execute(b"SELECT 1")).fetchone() == (1,)


async def slow(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.driver.execute(b"SET LOCAL statement_timeout = 10")
        await tx.driver.execute(b"SELECT pg_sleep(5)")


async def test_a_statement_that_lasts_too_long_is_a_database_that_is_away(database_url: str) -> None:
    async with open_database(database_url) as database:
        with pytest.raises(DatabaseAway) as away:
            await slow(database)
    assert isinstance(away.value.__cause__, QueryCanceled)
