"""The reaper and the reconciler, round by round."""

from datetime import timedelta

import pytest

from checkpoints.cases import Status
from checkpoints.queue import Queue, queue_app
from checkpoints.reaper import MOST_CRASHES, Reaper
from graphs.wiring import Parts
from tests.house import House, ManualClock
from tests.stories.reviewing import told
from tools.sandbox.cast import CAST


@pytest.fixture
def reaper(parts: Parts) -> Reaper:
    queue = Queue(queue_app(parts.database.conninfo))
    return Reaper(database=parts.database, queue=queue, clock=parts.clock, dead_after=timedelta(seconds=30))


async def taken_by_a_dead_worker(house: House) -> None:
    """The state that kill -9 leaves: a job that is being done by a worker whose heart stopped."""
    (worker,) = await house.rows(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
    )
    await house.rows("SELECT procrastinate_fetch_job_v2(NULL, %s)", worker["id"])


async def test_a_dead_workers_job_is_put_back(house: House, reaper: Reaper) -> None:
    await house.send("clean_29_90_1")
    await taken_by_a_dead_worker(house)

    assert await reaper.reap() == 1
    assert await house.rows("SELECT status::text FROM procrastinate_jobs") == [{"status": "todo"}]
    assert await reaper.reap() == 0


async def test_a_living_workers_job_is_left_alone(house: House, reaper: Reaper) -> None:
    await house.send("clean_29_90_1")
    (worker,) = await house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    await house.rows("SELECT procrastinate_fetch_job_v2(NULL, %s)", worker["id"])

    assert await reaper.reap() == 0


async def test_a_case_that_kills_its_workers_fails_and_says_so(house: House, reaper: Reaper) -> None:
    case = await house.send("clean_29_90_1")
    for _ in range(MOST_CRASHES):
        await taken_by_a_dead_worker(house)
        assert await reaper.reap() == 1

    case = await house.case(case.id)
    assert (case.status, case.reason, case.owner) == (Status.FAILED, "worker_crashes", "operations")
    (failed,) = await told(house, case.id, "case.failed")
    assert failed == {"reason": "worker_crashes", "owner": "operations", "by": "system:reaper"}
    assert await house.rows("SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == []


async def test_a_case_that_comes_further_between_its_workers_deaths_goes_on(
    house: House, reaper: Reaper
) -> None:
    case = await house.send("clean_29_90_1")
    for number in range(2 * MOST_CRASHES):
        await taken_by_a_dead_worker(house)
        if number % (MOST_CRASHES - 1) == 0:
            await house.rows("UPDATE cases SET head = %s WHERE id = %s", f"step-{number}", case.id)
        assert await reaper.reap() == 1

    await house.rows("UPDATE cases SET head = NULL WHERE id = %s", case.id)
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert await house.rows("SELECT crashes FROM commands") == [{"crashes": 2 * MOST_CRASHES}]


async def test_a_case_whose_command_was_carried_out_before_its_worker_died_does_not_fail(
    house: House, reaper: Reaper
) -> None:
    case = await house.send("clean_29_90_1")
    for _ in range(MOST_CRASHES - 1):
        await taken_by_a_dead_worker(house)
        await reaper.reap()
    await taken_by_a_dead_worker(house)
    await house.work()

    assert await reaper.reap() == 1
    assert (await house.case(case.id)).status is Status.CLOSED
    assert await told(house, case.id, "case.failed") == []


async def test_a_command_without_a_job_gets_one(house: House, reaper: Reaper) -> None:
    await house.send("clean_29_90_1")
    await house.rows("DELETE FROM procrastinate_jobs")

    assert await reaper.reconcile() == 1
    assert await reaper.reconcile() == 0
    (job,) = await house.rows("SELECT args ->> 'command_id' AS command FROM procrastinate_jobs")
    (command,) = await house.rows("SELECT id FROM commands")
    assert job["command"] == command["id"]


async def test_a_case_under_way_that_nobody_works_on_is_picked_up_once(
    house: House, reaper: Reaper, clock: ManualClock
) -> None:
    case = await house.send("clean_29_90_1")
    await house.rows("DELETE FROM procrastinate_jobs")
    await house.rows("UPDATE commands SET done_at = now(), outcome = 'lost'")
    clock.advance(timedelta(minutes=5))

    assert await reaper.reconcile() == 1
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST["clean_29_90_1"].order_id)) == 1


async def test_a_case_that_stays_where_it_is_fails_instead_of_being_picked_up_for_ever(
    house: House, reaper: Reaper, clock: ManualClock
) -> None:
    case = await house.send("clean_29_90_1")
    for _ in range(2):
        await house.rows("DELETE FROM procrastinate_jobs")
        await house.rows("UPDATE commands SET done_at = now(), outcome = 'lost' WHERE done_at IS NULL")
        clock.advance(timedelta(minutes=5))
        await reaper.reconcile()

    case = await house.case(case.id)
    assert (case.status, case.reason) == (Status.FAILED, "stalled")
