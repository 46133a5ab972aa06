"""A run of chaos: the plant, the crowd and the storm together, then calm, then the truth."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tests.chaos.crowd import Crowd
from tests.chaos.plan import drawn
from tests.chaos.storm import DEAD_SECONDS, Storm
from tests.chaos.tally import Result, tallied
from tests.engine.front import front
from tests.engine.orders import add_orders
from tests.engine.plant import Plant, plant

SPEED = 30
"""How many times as fast as time the plant's clock runs: a connector that rests does so for a second."""
LOOK_AGAIN_SECONDS = 0.5
PATIENCE_SECONDS = 180.0
"""How long things may take to come to rest once faults have stopped."""
AN_HOUR = timedelta(hours=1)
_AT_WORK = """
SELECT (SELECT count(*) FROM commands WHERE done_at IS NULL)
     + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))
     + (SELECT count(*) FROM reviews WHERE status = 'open' AND kind = 'gate') AS count
"""
_PASSING = """
SELECT count(*) FROM exceptions WHERE closed_at IS NULL AND status <> 'failed'
"""


async def run(cases: int, seed: int) -> Result:
    """Run so many cases under the faults of a seed."""
    began, plan = time.monotonic(), drawn(seed, cases)
    async with plant(speed=SPEED, seed=seed, dead_seconds=DEAD_SECONDS) as made, front(made) as doors:
        crowd = Crowd(plan, made, doors)
        storm = Storm(made, plan.chance("storm"), cases)
        await crowd.change_rules()
        orders = await add_orders(made, plan.amounts)
        async with running(crowd, storm):
            async with _blowing(storm):
                await crowd.send(orders)
            await storm.end()
            await _come_to_rest(made)
            while await crowd.retry_all():
                await _come_to_rest(made)
        return await tallied(made, crowd, storm, time.monotonic() - began)


@asynccontextmanager
async def running(crowd: Crowd, storm: Storm) -> AsyncIterator[None]:
    """People decide and recoveries are timed for as long as the block lasts."""
    tasks = [asyncio.create_task(crowd.decide()), asyncio.create_task(storm.watch())]
    try:
        yield
    finally:
        await _ended(*tasks)


@asynccontextmanager
async def _blowing(storm: Storm) -> AsyncIterator[None]:
    """Faults come for as long as the block lasts, and at least until each kind has come once."""
    blowing = asyncio.create_task(storm.blow())
    try:
        yield
        while storm.injected.keys() < storm.faults.keys() and not blowing.done():
            await asyncio.wait({blowing}, timeout=LOOK_AGAIN_SECONDS)
    finally:
        await _ended(blowing)


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """End what goes on until it is cancelled; raises if it had ended before."""
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
    if failed:
        raise AssertionError("who decides, watches or breaks things has ended before the run") from failed[0]


async def _come_to_rest(made: Plant) -> None:
    """Wait until there is nothing to do; time goes by for what waits to be tried again by itself."""
    tried = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            if (await made.rows(_AT_WORK))[0]["count"]:
                continue
            if tried > 8 or not (await made.rows(_PASSING))[0]["count"]:
                return
            tried += 1
            made.clock.jump(AN_HOUR)
            await asyncio.sleep(2)
