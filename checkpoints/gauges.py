"""Gauges: how much stands where, read from the database by queries that touch only what is not ended.

What has ended is counted by nobody: it grows for ever, and so would the time that counting it takes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from checkpoints.cases import UNENDED
from checkpoints.database import Database

PATIENCE = timedelta(seconds=2)
"""How long all of it may take; a database that needs longer is not asked on."""

_READ = """
SELECT 'cases' AS name, workflow AS one, status AS other, count(*)::float AS value
FROM cases WHERE status = ANY(%(unended)s) GROUP BY workflow, status
UNION ALL
SELECT 'reviews_open', workflow, NULL, count(*) FROM reviews WHERE status = 'open' GROUP BY workflow
UNION ALL
SELECT 'reviews_overdue', workflow, NULL, count(*) FROM reviews
WHERE status = 'open' AND due_at < %(at)s GROUP BY workflow
UNION ALL
SELECT 'exceptions', split_part(reason, ':', 1), NULL, count(*) FROM exceptions
WHERE closed_at IS NULL GROUP BY split_part(reason, ':', 1)
UNION ALL
SELECT 'effects', e.state, NULL, count(*) FROM cases c JOIN effects e ON e.case_id = c.id
WHERE c.status = ANY(%(unended)s) GROUP BY e.state
UNION ALL
SELECT 'commands_waiting', NULL, NULL, count(*) FROM commands
WHERE done_at IS NULL AND (run_at IS NULL OR run_at <= %(at)s)
UNION ALL
SELECT 'command_oldest_seconds', NULL, NULL,
       coalesce(extract(epoch FROM %(at)s - min(coalesce(run_at, created_at))), 0)::float FROM commands
WHERE done_at IS NULL AND (run_at IS NULL OR run_at <= %(at)s)
UNION ALL
SELECT 'workers_alive', NULL, NULL, count(*) FROM procrastinate_workers
WHERE last_heartbeat >= now() - %(dead_after)s::interval
UNION ALL
SELECT 'audit_pending', NULL, NULL, count(*) FROM audit_pending
UNION ALL
SELECT 'audit_lag_seconds', NULL, NULL, greatest(0, coalesce(extract(epoch FROM %(at)s - (
    SELECT e.at FROM audit_events e WHERE e.seq = (SELECT min(seq) FROM audit_pending))), 0))::float
UNION ALL
SELECT 'notices', state, NULL, count(*) FROM deliveries WHERE state IN ('pending', 'dead') GROUP BY state
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One value; what `one` and `other` mean goes by the name, and they are as the rows have them."""

    name: str
    one: str | None
    other: str | None
    value: float


async def read_gauges(database: Database, at: datetime, dead_after: timedelta) -> list[Reading]:
    """Every value there is at this time; what is nought may be missing.

    Raises:
        DatabaseAway: it does not answer, or not within `PATIENCE`.
    """
    async with database.transaction() as tx:
        return await _read(tx.driver, at, dead_after)


async def _read(connection: AsyncConnection[Any], at: datetime, dead_after: timedelta) -> list[Reading]:
    await connection.execute(
        f"SET LOCAL statement_timeout = {round(PATIENCE.total_seconds() * 1000)}".encode()
    )
    values = {"at": at, "unended": list(UNENDED), "dead_after": dead_after}
    async with connection.cursor(row_factory=class_row(Reading)) as cursor:
        return await (await cursor.execute(_READ, values)).fetchall()
