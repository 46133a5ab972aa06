"""A line to the database that breaks at the worst moment: what the worker was about to write is written."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from api.serve import working
from checkpoints.cases import Status
from checkpoints.errors import DatabaseAway, ThreadIsBusy
from checkpoints.session import fenced_session
from checkpoints.worker import Pace
from graphs.wiring import Parts
from nodes.agent import AgentRole, LookUp, Thought
from nodes.shapes import Json
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
HOLDING = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(%s, 0)
"""


class BrokenBrain(Exception):
    """A fault in the code of an agent."""


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


@dataclass(slots=True)
class BreaksOnceItsLineIsCut:
    """A brain that breaks after the line that holds its thread was cut, and another worker has the thread."""

    house: House
    other: AsyncExitStack
    case_id: str = ""

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        (line,) = await self.house.rows(HOLDING, self.case_id)
        await self.house.rows("SELECT pg_terminate_backend(%s, 5000)", line["pid"])
        engine = self.house.parts.database.engine
        await self.other.enter_async_context(fenced_session(engine, self.case_id))
        raise BrokenBrain


async def test_a_worker_that_has_lost_its_thread_does_not_stop_the_case(house: House) -> None:
    async with AsyncExitStack() as other:
        brain = BreaksOnceItsLineIsCut(house, other)
        broken = House(replace(house.parts, brain=brain))
        case = await broken.send("clean_29_90_1")
        brain.case_id = case.id
        (command,) = await house.rows("SELECT id FROM commands")
        with pytest.raises((ThreadIsBusy, DatabaseAway)):
            await broken.runner.carry_out(command["id"])
        assert (await house.case(case.id)).status is not Status.FAILED
        assert "case.failed" not in await house.kinds(case.id)

    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
