"""The checkup: whether the database and whatever works on it are as they must be, an answer a question."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.database import Database, open_database
from checkpoints.doctor import LAGS_AFTER, Finding, examine
from checkpoints.errors import DatabaseUnusable
from checkpoints.migrate import require_migrated
from checkpoints.worker import USUAL_PACE

MOST_APART = timedelta(seconds=5)
"""How far this machine's clock and the database's may be apart: expiries go by the one, jobs by the other."""

_WORKERS = """
SELECT count(*) FILTER (WHERE last_heartbeat >= now() - %(dead_after)s::interval) AS alive, count(*) AS known
FROM procrastinate_workers
"""
_UNKNOWN = "SELECT count(*) AS number FROM effects WHERE state = 'unknown'"
_LAG = """
SELECT count(*) AS number, min(e.at) AS oldest FROM audit_pending p JOIN audit_events e ON e.seq = p.seq
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One question, whether all is well, and what was found; `stuck` holds what is stuck, one by one."""

    question: str
    well: bool
    says: str
    stuck: tuple[Finding, ...] = ()


async def check_up(url: str, clock: Callable[[], datetime]) -> list[Answer]:
    """An answer to each question that can be asked: without a database, or an older one, few can be."""
    try:
        async with open_database(url) as database:
            return await _asked(database, clock)
    except DatabaseUnusable as unusable:
        return [Answer(question="database", well=False, says=str(unusable))]


async def _asked(database: Database, clock: Callable[[], datetime]) -> list[Answer]:
    async with database.connection() as connection:
        major, minor = divmod(connection.info.server_version, 10_000)
        answers = [Answer(question="database", well=True, says=f"Postgres {major}.{minor} answers")]
        try:
            await require_migrated(database)
        except DatabaseUnusable as behind:
            return [*answers, Answer(question="migrations", well=False, says=str(behind))]
        answers.append(Answer(question="migrations", well=True, says="at this version"))
        asked = [await ask(connection, clock) for ask in (_clocks, _workers, _unknown, _lag, _stuck)]
        return [*answers, *asked]


async def _clocks(connection: AsyncConnection[Any], clock: Callable[[], datetime]) -> Answer:
    """The database's time against the middle of the moment it took to ask for it."""
    before = clock()
    row = await _row(connection, "SELECT clock_timestamp() AS at")
    apart = row["at"] - (before + (clock() - before) / 2)
    says = f"the database's is {apart.total_seconds():+.1f} s from ours"
    return Answer(question="clock", well=abs(apart) <= MOST_APART, says=says)


async def _workers(connection: AsyncConnection[Any], _: Callable[[], datetime]) -> Answer:
    row = await _row(connection, _WORKERS, dead_after=USUAL_PACE.dead_after)
    silent = row["known"] - row["alive"]
    says = f"{row['alive']} alive" + (f", {silent} silent" if silent else "")
    return Answer(question="workers", well=row["alive"] > 0, says=says)


async def _unknown(connection: AsyncConnection[Any], _: Callable[[], datetime]) -> Answer:
    number = (await _row(connection, _UNKNOWN))["number"]
    says = f"{number} deeds of which nobody knows whether they were done" if number else "none is in doubt"
    return Answer(question="effects", well=number == 0, says=says)


async def _lag(connection: AsyncConnection[Any], clock: Callable[[], datetime]) -> Answer:
    row = await _row(connection, _LAG)
    age = clock() - row["oldest"] if row["oldest"] else timedelta()
    says = f"{row['number']} events wait for the tree, the oldest for {max(0.0, age.total_seconds()):.0f} s"
    return Answer(question="audit", well=age <= LAGS_AFTER, says=says)


async def _stuck(connection: AsyncConnection[Any], clock: Callable[[], datetime]) -> Answer:
    found = tuple(await examine(connection, clock()))
    says = f"{len(found)} are stuck outside of a named state" if found else "nothing is stuck"
    return Answer(question="cases", well=not found, says=says, stuck=found)


async def _row(connection: AsyncConnection[Any], query: str, **values: Any) -> dict[str, Any]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(query.encode(), values)).fetchone()
    assert row is not None
    return row
