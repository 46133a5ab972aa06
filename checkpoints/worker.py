"""The worker: takes jobs, runs their segments, and cannot complete what was taken from it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, RetryDecision, job_context, jobs, retry
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from checkpoints.errors import DatabaseAway, GraphLacksStep, NoSeat, StaleHead, ThreadIsBusy, TooEarly
from checkpoints.queue import QUEUE, SEGMENT_TASK

logger = logging.getLogger(__name__)

_PAUSE_AFTER_FAILURE = timedelta(seconds=1)

_FINISH = """
SELECT procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s) FROM procrastinate_jobs
WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""
_RETRY = """
SELECT procrastinate_retry_job_v2(id, %(retry_at)s, NULL, NULL, NULL) FROM procrastinate_jobs
WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""

SegmentHandler = Callable[[str], Awaitable[None]]


class Drained(Exception):
    """The segment stopped at a step because its worker is going down; another one goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often a worker shows life, when it counts as dead, its time to stop, and how often it tidies."""

    heartbeat: timedelta = timedelta(seconds=5)
    dead_after: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=10)
    reap_every: timedelta = timedelta(seconds=5)
    reconcile_every: timedelta = timedelta(minutes=1)
    grow_every: timedelta = timedelta(seconds=1)
    wake_every: timedelta = timedelta(seconds=1)
    notify_every: timedelta = timedelta(seconds=1)
    forget_every: timedelta = timedelta(hours=1)
    prune_every: timedelta = timedelta(minutes=1)
    look_every: timedelta = timedelta(seconds=5)
    anchor_every: timedelta = timedelta(minutes=5)
    settle_every: timedelta = timedelta(seconds=5)
    watch_every: timedelta = timedelta(seconds=2)


USUAL_PACE = Pace()


class SegmentRetry(BaseRetryStrategy):
    """A shutdown, a lost connection or thread, no seat, or a graph that lacks a step is tried again.

    Anything else is final, and rare: the runner turns every failure of a case into a state of the case.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Now for a shutdown; else after 1, 2, 4 … at most 30 seconds, or 8 for a seat."""
        match exception:
            case asyncio.CancelledError() | Drained():
                return RetryDecision(retry_in={"seconds": 0})
            case TooEarly():  # the database's clock is ahead of ours
                return RetryDecision(retry_in={"seconds": 1})
            case NoSeat():
                return RetryDecision(retry_in={"seconds": min(2**job.attempts, 8)})
            case DatabaseAway() | ConnectorException() | ThreadIsBusy() | StaleHead() | GraphLacksStep():
                return RetryDecision(retry_in={"seconds": min(2**job.attempts, 30)})
            case _:
                return None


class OwnedJobsWorker(Worker):
    """A worker that completes a job only while it is still its own, and then even if a line breaks."""

    def _start_side_tasks(self) -> list[asyncio.Task[Any]]:
        """Show life and listen for jobs, also again after the database was away.

        Procrastinate looks after these until the first has ended. The one for periodic tasks ends at once, as
        there are none: a worker would count as dead, or only look for jobs now and then.
        """
        listen = partial(
            self.app.job_manager.listen_for_jobs,
            on_notification=self._handle_notification,
            queues=self.queues,
        )
        tasks = (self._update_heartbeat, self._poll_jobs_to_abort, listen)
        later = "a worker shows life and listens later"
        return [asyncio.create_task(self._as_often_as_it_takes(task, later)) for task in tasks]

    async def _persist_job_status(
        self,
        job: Job,
        status: jobs.Status,
        retry_decision: retry.RetryDecision | None,
        context: job_context.JobContext,  # noqa: ARG002 - the signature is Procrastinate's
        job_result: job_context.JobResult | None,  # noqa: ARG002
    ) -> None:
        """Write how a job ended, as often as it takes: else it would be this living worker's for ever.

        If the worker stops before that, the job is a dead worker's and is put back.
        """
        write = partial(self._persist_once, job, status, retry_decision)
        await self._as_often_as_it_takes(write, "how a job ended is written later")

    async def _as_often_as_it_takes(self, deed: Callable[[], Awaitable[None]], later: str) -> None:
        """Do it, and again while the database is away, until the worker stops."""
        while True:
            try:
                return await deed()
            except ConnectorException as error:
                if self._stop_event.is_set():
                    raise
                logger.warning("%s: %s", later, type(error.__cause__).__name__)
                await _pause(self._stop_event)

    async def _persist_once(
        self, job: Job, status: jobs.Status, retry_decision: retry.RetryDecision | None
    ) -> None:
        own = {"job_id": job.id, "worker_id": self.worker_id}
        connector = self.app.connector
        if retry_decision:
            await connector.execute_query_all_async(_RETRY, **own, retry_at=retry_decision.retry_at)
        else:
            done = status == jobs.Status.SUCCEEDED
            await connector.execute_query_all_async(_FINISH, **own, status=status.value, delete_job=done)


def register_segment(app: App, handle: SegmentHandler) -> None:
    """Make `handle` what runs when a segment's job is taken."""

    @app.task(name=SEGMENT_TASK, queue=QUEUE, retry=SegmentRetry())
    async def segment(command_id: str) -> None:
        await handle(command_id)


async def work(
    app: App, stop: asyncio.Event, *, pace: Pace, concurrency: int, on_stop: Callable[[], None]
) -> None:
    """Take jobs until `stop` is set, starting again whenever the database comes back.

    Procrastinate's worker returns without an error when Postgres restarts, hence the loop.
    """
    while not stop.is_set():
        try:
            async with app.open_async():
                await _work_once(_worker(app, pace, concurrency), stop, on_stop)
        except (ConnectorException, psycopg.Error) as error:
            logger.warning("the database is away: %s", type(error).__name__)
        if not stop.is_set():
            await _pause(stop)


def _worker(app: App, pace: Pace, concurrency: int) -> OwnedJobsWorker:
    return OwnedJobsWorker(
        app,
        queues=[QUEUE],
        concurrency=concurrency,
        install_signal_handlers=False,
        update_heartbeat_interval=pace.heartbeat.total_seconds(),
        stalled_worker_timeout=pace.dead_after.total_seconds(),
        shutdown_graceful_timeout=pace.grace.total_seconds(),
    )


async def _work_once(worker: OwnedJobsWorker, stop: asyncio.Event, on_stop: Callable[[], None]) -> None:
    running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        on_stop()
        worker.stop()  # type: ignore[no-untyped-call]
    stopping.cancel()
    await running


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), _PAUSE_AFTER_FAILURE.total_seconds())
    except TimeoutError:
        return
