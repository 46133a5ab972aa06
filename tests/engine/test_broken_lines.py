"""A line to the database that breaks at the worst moment: what the worker was about to write is written."""

from dataclasses import replace
from datetime import timedelta

from psycopg import AsyncConnection

from api.serve import working
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.worker import Pace
from graphs.wiring import Parts
from tests.engine.processes import until
from tests.house import House
from tools.sandbox.cast import CAST

NOBODY_IS_DEAD = Pace(dead_after=timedelta(hours=1))
CUT_ONCE = (
    "CREATE SEQUENCE cuts",
    """CREATE FUNCTION cut_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF nextval('cuts') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
        RETURN OLD;
    END $$""",
    "CREATE TRIGGER cut_once BEFORE DELETE ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION cut_once()",
)
"""The connection over which the first job is reported as done is cut before that is committed."""


_LISTENERS = """
SELECT pid FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN "procrastinate%%'
"""
_HEARTS = "SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > %s"


async def test_a_job_whose_end_was_cut_off_is_not_its_living_workers_for_ever(
    house: House, parts: Parts
) -> None:
    for statement in CUT_ONCE:
        await house.rows(statement)
    case = await house.send("clean_29_90_1")

    async with working(parts, pace=NOBODY_IS_DEAD):

        async def reported() -> bool:
            ended = "SELECT 1 FROM commands WHERE case_id = %s AND done_at IS NOT NULL"
            jobs = await house.rows("SELECT 1 FROM procrastinate_jobs")
            return jobs == [] and await house.rows(ended, case.id) != []

        await until(reported, "the job is reported as done")

    assert await house.rows("SELECT last_value FROM cuts") == [{"last_value": 2}]
    assert len(await house.refunds(CAST["clean_29_90_1"].order_id)) == 1


async def test_a_worker_that_the_database_let_in_no_more_listens_again_and_shows_life(
    house: House, parts: Parts, postgres: EmbeddedPostgres
) -> None:
    """The lines that are there stay; a new one is refused, as by a server that is starting."""
    (place,) = await house.rows("SELECT current_database() AS name")
    beats_often = replace(NOBODY_IS_DEAD, heartbeat=timedelta(milliseconds=10))
    async with (
        await AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as admin,
        working(parts, pace=beats_often),
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

        await until(listens, "the worker listens again")
        await until(beats, "the worker shows life")
