"""A line to the database that breaks at the worst moment: what the worker was about to write is written."""

from datetime import timedelta

from api.serve import working
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
