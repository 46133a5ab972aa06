"""The worker process: segments from the queue, and the upkeep that every worker does beside them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from checkpoints.audit_tree import grow_tree
from checkpoints.errors import DatabaseAway
from checkpoints.pruning import Pruner
from checkpoints.queue import queue_app
from checkpoints.reaper import Reaper
from checkpoints.worker import USUAL_PACE, Pace, register_segment, work
from graphs.anchors import Anchoring
from graphs.clockwork import Clockwork
from graphs.deadlines import Deadlines
from graphs.dealer import Dealer
from graphs.halting import Switch
from graphs.notifier import Notifier
from graphs.personal import PersonalData
from graphs.reconciler import Reconciler
from graphs.runner import Runner
from graphs.triggers import trigger_rounds
from graphs.wiring import Parts

logger = logging.getLogger(__name__)

_JUMP = 3
"""A round that comes this many intervals late follows a pause of the whole machine, and is skipped."""


async def run_worker(
    parts: Parts, stop: asyncio.Event, *, concurrency: int = 4, pace: Pace = USUAL_PACE
) -> None:
    """Work until `stop` is set; what is under way then stops at its next step and is handed back."""
    runner = Runner(parts)
    app = queue_app(parts.database.conninfo)
    register_segment(app, runner.carry_out)
    reaper = Reaper(database=parts.database, queue=parts.queue, clock=parts.clock, dead_after=pace.dead_after)

    notifier = Notifier(parts)

    async def grow() -> int:
        async with parts.database.connection() as connection:
            return await grow_tree(connection, parts.clock, parts.signer)

    async def forget() -> int:
        return await PersonalData(parts).forget(parts.retention)

    deadlines = Deadlines(parts)
    pruner = Pruner(database=parts.database, clock=parts.clock, after=parts.prune_after)
    async with trigger_rounds(parts) as triggers, asyncio.TaskGroup() as group:
        group.create_task(_every(pace.wake_every, deadlines.run, stop))
        group.create_task(_every(pace.wake_every, Switch(parts).wake, stop))
        group.create_task(_every(pace.wake_every, Clockwork(parts).run, stop))
        group.create_task(_every(pace.reap_every, reaper.reap, stop))
        group.create_task(_every(pace.reconcile_every, reaper.reconcile, stop))
        group.create_task(_every(pace.settle_every, Reconciler(parts).run, stop))
        group.create_task(_every(pace.grow_every, grow, stop))
        group.create_task(_every(pace.forget_every, forget, stop))
        group.create_task(_every(pace.prune_every, pruner.prune, stop))
        group.create_task(_every(pace.look_every, parts.configuration().look, stop))
        group.create_task(_every(pace.notify_every, Dealer(parts).deal_out, stop))
        if parts.anchors:
            group.create_task(_every(pace.anchor_every, Anchoring(parts).run, stop))
        for channel in parts.notify.channels:  # a round each, so that one that hangs holds up no other
            group.create_task(_every(pace.notify_every, partial(notifier.send_due, channel), stop))
        for trigger in triggers:
            group.create_task(_every(pace.watch_every, trigger.run, stop))
        group.create_task(work(app, stop, pace=pace, concurrency=concurrency, on_stop=runner.drain))


async def _every(interval: timedelta, deed: Callable[[], Awaitable[int]], stop: asyncio.Event) -> None:
    before = time.monotonic()
    while not await _stopped_within(interval, stop):
        late = time.monotonic() - before > _JUMP * interval.total_seconds()
        before = time.monotonic()
        if late:
            continue
        try:
            await deed()
        except DatabaseAway as error:
            logger.warning("upkeep waits for the database: %s", type(error).__name__)
        except Exception:  # without upkeep the cases of killed workers are lost, so it is tried again
            logger.exception("upkeep failed")


async def _stopped_within(interval: timedelta, stop: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), interval.total_seconds())
    except TimeoutError:
        return False
    return True
