"""The reaper and the reconciler: what a killed worker held is handed on; what lost its job gets one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from psycopg.rows import dict_row

from checkpoints.audit import Event, tell
from checkpoints.cases import UNDER_WAY, Status, get_case, move_case
from checkpoints.commands import Command, CommandKind, count_crash, finish_command, get_command
from checkpoints.database import Database, Transaction
from checkpoints.queue import Queue

MOST_CRASHES = 5
"""So often a case may kill its workers from one and the same step; it may be that step that does it."""
ORPHANED_AFTER = timedelta(minutes=1)
_OWNER = "operations"

_MINE = "SELECT pg_try_advisory_xact_lock(hashtextextended('countersign reaper', 0)) AS mine"
_DEAD_JOBS = """
SELECT j.id, split_part(j.lock, ':', 1) AS case_id, j.args ->> 'command_id' AS command_id
FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - %s::interval)
FOR UPDATE OF j SKIP LOCKED
"""
_END_SESSIONS = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(%s, 0)
"""
_PUT_BACK = "SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)"
_GIVE_UP = "SELECT procrastinate_finish_job_v1(%s, 'failed', true)"
_LOST_COMMANDS = """
SELECT c.id FROM commands c WHERE c.done_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs j
    WHERE j.lock = CASE WHEN c.run_at IS NULL THEN c.case_id ELSE c.case_id || ':' || c.id END
      AND j.status IN ('todo', 'doing'))
"""
_LOST_CASES = """
SELECT c.id, c.head FROM cases c
WHERE c.status = ANY(%s) AND c.updated_at < %s
  AND NOT EXISTS (SELECT 1 FROM commands o WHERE o.case_id = c.id AND o.done_at IS NULL)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaper:
    """Hands on what dead workers held. One reaper works at a time; every worker runs one."""

    database: Database
    queue: Queue
    clock: Callable[[], datetime]
    dead_after: timedelta

    async def reap(self) -> int:
        """End the sessions of dead workers and put their jobs back; returns how many jobs there were."""
        async with self.database.transaction() as tx:
            if not await _alone(tx):
                return 0
            cursor = tx.driver.cursor(row_factory=dict_row)
            jobs = await (await cursor.execute(_DEAD_JOBS, (self.dead_after,))).fetchall()
            for job in jobs:
                await cursor.execute(_END_SESSIONS, (job["case_id"],))
                give_up = await count_crash(tx, job["command_id"]) >= MOST_CRASHES
                await cursor.execute(_GIVE_UP if give_up else _PUT_BACK, (job["id"],))
                if give_up:
                    await finish_command(tx, job["command_id"], "crashed", self.clock())
                    await self._fail(tx, job["case_id"], "worker_crashes", job["command_id"])
            return len(jobs)

    async def reconcile(self) -> int:
        """Give a job to each open command and each case under way that has none; returns how many."""
        async with self.database.transaction() as tx:
            if not await _alone(tx):
                return 0
            cursor = tx.driver.cursor(row_factory=dict_row)
            commands = await (await cursor.execute(_LOST_COMMANDS)).fetchall()
            for row in commands:
                command = await get_command(tx, row["id"])
                assert command is not None
                await self.queue.enqueue_job(tx, command)
            since = self.clock() - ORPHANED_AFTER
            cases = await (await cursor.execute(_LOST_CASES, (list(UNDER_WAY), since))).fetchall()
            for row in cases:
                await self._pick_up(tx, row["id"], row["head"])
            return len(commands) + len(cases)

    async def _pick_up(self, tx: Transaction, case_id: str, head: str | None) -> None:
        cause = f"reconcile:{case_id}:{head}"
        command = Command(
            id=str(uuid5(NAMESPACE_OID, cause)),
            case_id=case_id,
            kind=CommandKind.RETRY,
            dedupe_key=cause,
            payload={},
            created_at=self.clock(),
        )
        if not await self.queue.enqueue(tx, command):
            await self._fail(tx, case_id, "stalled", cause)

    async def _fail(self, tx: Transaction, case_id: str, reason: str, cause: str) -> None:
        at = self.clock()
        if (await get_case(tx, case_id, lock=True)).ended_by_people:
            return
        await move_case(tx, case_id, Status.FAILED, at, reason=reason, owner=_OWNER)
        event = Event(
            id=str(uuid5(NAMESPACE_OID, f"failed:{cause}")),
            case_id=case_id,
            kind="case.failed",
            actor="system:reaper",
            at=at,
            data={"reason": reason, "owner": _OWNER},
        )
        await tell(tx, event)


async def _alone(tx: Transaction) -> bool:
    row = await (await tx.driver.execute(_MINE)).fetchone()
    return row is not None and bool(row[0])
