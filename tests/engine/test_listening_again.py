"""A worker that the database did not let in for a while: it hears of new jobs again, and shows life."""

from datetime import timedelta

from psycopg import AsyncConnection

from api.serve import working
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.worker import Pace
from graphs.wiring import Parts
from tests.engine.processes import until
from tests.house import House

NOBODY_IS_DEAD = Pace(dead_after=timedelta(hours=1), heartbeat=timedelta(milliseconds=10))
_LISTENERS = """
SELECT pid FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN "procrastinate%%'
"""
_HEARTS = "SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > %s"


async def test_a_worker_that_the_database_let_in_no_more_listens_again_and_shows_life(
    house: House, parts: Parts, postgres: EmbeddedPostgres
) -> None:
    """The lines that are there stay; a new one is refused, as by a server that is starting."""
    (place,) = await house.rows("SELECT current_database() AS name")
    async with (
        await AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as admin,
        working(parts, pace=NOBODY_IS_DEAD),
    ):

        async def listeners() -> set[int]:
            return {pid for (pid,) in await (await admin.execute(_LISTENERS, (place["name"],))).fetchall()}

        async def listens() -> bool:
            return await listeners() != set()

        async def is_cut_off() -> bool:
            for pid in await listeners():
                await admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
            return await listeners() == set()

        async def beats() -> bool:
            return await house.rows(_HEARTS, (await house.rows("SELECT now() AS at"))[0]["at"]) != []

        await until(listens, "the worker listens")
        await admin.execute(f'ALTER DATABASE "{place["name"]}" ALLOW_CONNECTIONS false'.encode())
        await until(is_cut_off, "the worker's line is cut")
        await admin.execute(f'ALTER DATABASE "{place["name"]}" ALLOW_CONNECTIONS true'.encode())

        await until(listens, "the worker listens again", 60)
        await until(beats, "the worker shows life")
