"""All or nothing: a checkpoint, its events and its case's move are one unit, whatever goes wrong in it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint
from psycopg import DatabaseError, waiting
from psycopg.errors import DivisionByZero, NotNullViolation
from psycopg.pq import PipelineStatus
from sqlalchemy.ext.asyncio import AsyncEngine

from checkpoints.canonical import NotCanonical
from checkpoints.cases import Case
from checkpoints.database import open_database
from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import fenced_session, open_session
from checkpoints.unit import Statements
from tests.checkpoints.threads import NOTHING, Kept, Thread, add_received, kept, opened
from tests.house import House
from tests.kills import killed_at

BULK = ["x" * 2_000_000] * 4  # more than a socket takes at once, so that sending it has to wait
PATIENCE_SECONDS = 60  # for a server that is busy; a lock that was kept is kept for ever
TOO_LARGE = 2**60  # no exact number in canonical JSON
Work = Callable[[Thread], Coroutine[Any, Any, None]]
Look = Callable[[AsyncEngine, Case], Coroutine[Any, Any, None]]


class Tripping(Projection):
    """A projection whose last statement fails if the state says so."""

    async def checkpoint(
        self, to: Statements, parent: str | None, checkpoint: Checkpoint, changed: Any
    ) -> None:
        await super().checkpoint(to, parent, checkpoint, changed)
        await self._trip(to, checkpoint)

    async def lane(self, to: Statements, root: str, checkpoint: Checkpoint, changed: Any) -> None:
        await super().lane(to, root, checkpoint, changed)
        await self._trip(to, checkpoint)

    async def _trip(self, to: Statements, checkpoint: Checkpoint) -> None:
        if "trip" in checkpoint["channel_values"]:
            await to.execute("SELECT 1 / 0")


async def test_a_projection_whose_last_statement_fails_leaves_nothing(house: House) -> None:
    async with opened(house, projection=Tripping) as thread:
        with pytest.raises(DivisionByZero):
            await thread.step(None, thread.told("one"), trip="now")

    assert await kept(house, "case-1") == NOTHING


async def test_an_event_that_cannot_be_kept_takes_checkpoint_and_case_move_with_it(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None, thread.told("one"))
        before = await kept(house, "case-1")

        with pytest.raises(NotNullViolation):
            await thread.step(
                head, thread.told("two"), thread.told("three") | {"kind": None}, status="blocked"
            )

    assert await kept(house, "case-1") == before


async def test_after_a_unit_that_failed_the_thread_goes_on(house: House) -> None:
    async with opened(house, projection=Tripping) as thread:
        with pytest.raises(DivisionByZero):
            await thread.step(None, thread.told("one"), trip="now")
        head = await thread.step(None, thread.told("one"))

    assert await kept(house, "case-1") == Kept(
        checkpoints=1, blobs=2, head=head["configurable"]["checkpoint_id"], status="running", events=("one",)
    )


async def test_a_review_that_cannot_be_opened_takes_its_writes_with_it(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        before = await kept(house, "case-1")

        with pytest.raises(NotNullViolation):
            await thread.pause(head, thread.asking("review-1"), thread.asking("review-2", digest=None))

    assert await kept(house, "case-1") == before


async def test_a_value_that_cannot_be_told_takes_checkpoint_and_case_move_with_it(house: House) -> None:
    async with opened(house) as thread:
        with pytest.raises(NotCanonical):
            await thread.step(None, thread.told("one"), thread.told("two", amount=TOO_LARGE))

    assert await kept(house, "case-1") == NOTHING


async def test_an_unreadable_review_takes_its_writes_with_it(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        before = await kept(house, "case-1")

        with pytest.raises(ValueError, match="isoformat"):
            await thread.pause(head, thread.asking("review-1"), thread.asking("review-2", due_at="soon"))

    assert await kept(house, "case-1") == before


async def test_a_step_that_is_cancelled_anywhere_is_kept_whole_or_not_at_all(
    house: House, busy_loop: None
) -> None:
    cases = await _killed_everywhere(house, _step)

    whole = Kept(checkpoints=1, blobs=3, head="its own", status="running", events=("one",))
    assert await _left(house, cases) == {NOTHING, whole}


async def test_writes_of_a_task_that_is_cancelled_anywhere_are_kept_whole_or_not_at_all(
    house: House, busy_loop: None
) -> None:
    async def write(thread: Thread) -> None:
        writes = [("outcome", "ready"), ("bulk", BULK), ("record", [thread.told("one")])]
        await thread.saver.aput_writes(thread.config("the head"), writes, "task-1")
        await thread.saver.aget_tuple(thread.config("the head"))  # stores what was held back

    cases = await _killed_everywhere(house, write)

    assert await _left(house, cases) == {NOTHING, Kept(writes=3)}


async def test_a_thread_whose_segment_was_cancelled_anywhere_is_free_again(
    house: House, busy_loop: None
) -> None:
    async def can_be_taken(_worker: AsyncEngine, case: Case) -> None:
        """The server itself says when: it may take a moment to notice that a line was closed."""
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            open_session(house.parts.database.engine) as session,
            session.lock(case.id),
        ):
            pass

    await _killed_everywhere(house, _step, can_be_taken)


async def test_a_connection_that_was_cancelled_half_way_is_not_handed_out_again(
    house: House, busy_loop: None
) -> None:
    unfit = list[str]()

    async def look_at_the_pool(worker: AsyncEngine, case: Case) -> None:
        async with worker.connect() as pooled:
            driver = (await pooled.get_raw_connection()).driver_connection
            assert driver is not None
            if driver.pgconn.pipeline_status != PipelineStatus.OFF:
                unfit.append(case.id)
                await pooled.invalidate()

    await _killed_everywhere(house, _step, look_at_the_pool)

    assert unfit == []


async def test_a_line_whose_unit_failed_is_not_handed_out_again(house: House) -> None:
    case = await add_received(house.parts, "case-1")
    async with _worker(house) as worker:
        sound = await _line(worker)
        async with fenced_session(worker, case.id) as session:
            assert session.connection.info.backend_pid == sound
            thread = Thread(case, GovernedSaver(session, Tripping(case.id, house.parts.clock)))
            with pytest.raises(DivisionByZero):
                await thread.step(None, thread.told("one"), trip="now")

        assert await _line(worker) != sound


async def _line(worker: AsyncEngine) -> int:
    """The server's process behind the line that the pool hands out next."""
    async with worker.connect() as pooled:
        driver = (await pooled.get_raw_connection()).driver_connection
        assert driver is not None
        return int(driver.info.backend_pid)


@pytest.fixture
def busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that has always been busy for too long: psycopg lets others on after every statement."""
    monkeypatch.setattr(waiting, "MAX_BUSY_TIME", 0.0)


async def _step(thread: Thread) -> None:
    await thread.step(None, thread.told("one"), bulk=BULK)


async def _nothing(_worker: AsyncEngine, _case: Case) -> None:
    return


async def _killed_everywhere(house: House, work: Work, afterwards: Look = _nothing) -> list[Case]:
    """Cases whose segment was cancelled at its first await, at its second, and so on to its end."""
    cases = list[Case]()
    killed = True
    while killed:
        cases.append(await add_received(house.parts, f"case-{len(cases)}"))
        async with _worker(house) as worker:
            killed = await killed_at(len(cases) - 1, _segment(worker, cases[-1], work))
            await afterwards(worker, cases[-1])
    assert len(cases) > 5, "the work has hardly waited: nothing was tried"
    return cases


@asynccontextmanager
async def _worker(house: House) -> AsyncIterator[AsyncEngine]:
    """A worker's own pool, one connection warm; what killed segments leave there troubles nobody else."""
    async with open_database(house.parts.database.conninfo) as database:
        async with database.engine.connect():
            pass
        yield database.engine


async def _segment(worker: AsyncEngine, case: Case, work: Work) -> None:
    async with fenced_session(worker, case.id) as session:
        await work(Thread(case, GovernedSaver(session, Projection(case.id, lambda: case.created_at))))


async def _left(house: House, cases: Sequence[Case]) -> set[Kept]:
    """The different things that are kept of these cases."""
    found = [await kept(house, case.id) for case in cases]
    return {Kept(**_fields(one) | {"head": one.head and "its own"}) for one in found}


def _fields(of: Kept) -> dict[str, Any]:
    return {name: getattr(of, name) for name in Kept.__dataclass_fields__}


async def test_parallel_writes_of_siblings_do_not_join_a_lane_that_fails(house: House) -> None:
    async with opened(house, projection=Tripping) as thread:
        head = await thread.step(None)
        before = await kept(house, "case-1")
        root = {"checkpoint_map": {"": head["configurable"]["checkpoint_id"]}}
        lanes: list[RunnableConfig] = [
            {"configurable": thread.config(ns=f"lane:{number}")["configurable"] | root} for number in range(2)
        ]

        outcomes = await asyncio.gather(
            thread.put(lanes[0], {"record": [thread.told("tripped")], "trip": "now"}),
            *(_write(thread, head, f"task-{number}") for number in range(8)),
            thread.put(lanes[1], {"record": [thread.told("tripped too")], "trip": "now"}),
            return_exceptions=True,
        )

    failed = [type(outcome) for outcome in outcomes if outcome is not None]
    assert failed == [DivisionByZero, DivisionByZero]
    assert await kept(house, "case-1") == Kept(**_fields(before) | {"writes": 8})


async def test_a_sibling_whose_review_cannot_be_opened_takes_no_other_with_it(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        broken = thread.pause(head, thread.asking("broken", digest=None), task="broken")
        whole = [thread.pause(head, thread.asking(f"r{n}"), task=f"task-{n}") for n in range(6)]

        outcomes = await asyncio.gather(*whole[:3], broken, *whole[3:], return_exceptions=True)

    assert [isinstance(outcome, DatabaseError) for outcome in outcomes] == [*3 * [False], True, *3 * [False]]
    after = await kept(house, "case-1")
    assert (after.writes, after.reviews, len(after.events)) == (6, 6, 6)


async def _write(thread: Thread, head: RunnableConfig, task: str) -> None:
    await thread.saver.aput_writes(head, [("outcome", task)], task)
