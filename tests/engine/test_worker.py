"""The engine as real processes: killed, stopped, taken over; nothing is lost and nothing runs twice."""

import asyncio
import signal

from checkpoints.cases import Status
from graphs.settings import Settings
from tests.engine.processes import until, worker_process
from tests.house import LEE, House
from tools.sandbox.cast import CAST


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


async def hearts_have_stopped(house: House) -> None:
    """Have the workers that there are now counted as dead, as they would be in a while."""
    await house.rows("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")


async def stands(house: House, case_id: str, status: Status) -> None:
    async def there() -> bool:
        return (await house.case(case_id)).status is status

    await until(there, f"{case_id} is {status}")


async def test_a_worker_process_takes_a_case_from_event_to_effect(house: House, settings: Settings) -> None:
    case = await house.send("clean_29_90_1")
    async with worker_process(settings):
        await stands(house, case.id, Status.CLOSED)

    assert await house.rows("SELECT 1 FROM commands WHERE done_at IS NULL") == []


async def test_a_killed_worker_loses_nothing_and_pays_once(house: House, settings: Settings) -> None:
    case = await house.send("clean_29_90_2")
    async with worker_process(settings, slow_tool="payments.refund") as first:
        assert await line(first) == "ready"
        assert await line(first) == "deed done"  # paid, and no answer yet
        first.kill()
        await first.wait()
    await hearts_have_stopped(house)
    async with worker_process(settings):
        await stands(house, case.id, Status.CLOSED)

    assert len(await house.refunds(CAST["clean_29_90_2"].order_id)) == 1
    kinds = await house.kinds(case.id)
    assert kinds.count("effect.done") == len(["payments.refund", "tickets.reply"])
    (crash,) = await house.rows("SELECT crashes FROM commands WHERE case_id = %s", case.id)
    assert crash["crashes"] == 1


async def test_a_frozen_worker_that_thaws_can_write_nothing_more(house: House, settings: Settings) -> None:
    case = await house.send("clean_29_90_3")
    async with worker_process(settings, slow_tool="payments.refund") as frozen:
        assert await line(frozen) == "ready"
        assert await line(frozen) == "deed done"
        frozen.send_signal(signal.SIGSTOP)
        await hearts_have_stopped(house)
        async with worker_process(settings):
            await stands(house, case.id, Status.CLOSED)
            before = await house.kinds(case.id)
            frozen.send_signal(signal.SIGCONT)
            frozen.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                await frozen.wait()

    assert await house.kinds(case.id) == before
    assert len(await house.refunds(CAST["clean_29_90_3"].order_id)) == 1


async def test_a_stopped_worker_hands_its_case_back(house: House, settings: Settings) -> None:
    case = await house.send("clean_29_90_4")
    async with worker_process(settings, slow_tool="payments.refund") as stopping:
        assert await line(stopping) == "ready"
        assert await line(stopping) == "deed done"
        stopping.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await stopping.wait() == 0
    assert await house.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'") == []
    async with worker_process(settings):
        await stands(house, case.id, Status.CLOSED)

    assert len(await house.refunds(CAST["clean_29_90_4"].order_id)) == 1


async def test_two_workers_share_the_work_and_each_case_is_paid_once(
    house: House, settings: Settings
) -> None:
    scenes = [f"clean_29_90_{n}" for n in range(1, 9)] + ["clean_120_00_1"]
    cases = {scene: await house.send(scene) for scene in scenes}
    async with worker_process(settings), worker_process(settings):
        for scene in scenes[:-1]:
            await stands(house, cases[scene].id, Status.CLOSED)
        waiting = cases["clean_120_00_1"].id
        await stands(house, waiting, Status.WAITING_REVIEW)
        await house.vote(await house.review(waiting), LEE)
        await stands(house, waiting, Status.CLOSED)

    for scene in scenes:
        assert len(await house.refunds(CAST[scene].order_id)) == 1, scene
