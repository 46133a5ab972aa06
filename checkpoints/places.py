"""Places: where threads stand, as their checkpoints say it, whatever graph they are to go on in.

A graph is not asked: LangGraph leaves out in silence what waits in a step that it does not have.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.audit import Event, append_events
from checkpoints.cases import ENDED
from checkpoints.session import Session

GRAPH, VERSION = "graph", "workflow_version"
"""Under which metadata each checkpoint names the graph, by its fingerprint, and the version it ran on."""

_PENDING = """
ARRAY(SELECT substr(name, 11) FROM jsonb_object_keys({0}.checkpoint -> 'channel_values') AS name
      WHERE starts_with(name, 'branch:to:') ORDER BY name)
"""
_PLACES = f"""
SELECT c.id AS case_id, c.workflow, c.status, c.updated_at AS since, c.rollback IS NOT NULL AS takes_back,
       k.metadata ->> '{GRAPH}' AS graph, coalesce(k.metadata ->> '{VERSION}', c.workflow_version) AS version,
       k.checkpoint #>> '{{channel_values,step}}' AS step, {_PENDING.format("k")} AS pending,
       (SELECT coalesce(jsonb_object_agg(lane.checkpoint_ns, lane.pending), '{{}}') FROM (
           SELECT DISTINCT ON (l.checkpoint_ns) l.checkpoint_ns, {_PENDING.format("l")} AS pending
           FROM checkpoints l
           WHERE l.thread_id = c.thread_id AND l.checkpoint_ns <> ''
             AND l.metadata -> 'parents' ->> '' = c.head
           ORDER BY l.checkpoint_ns, l.checkpoint_id DESC) lane) AS lanes
FROM cases c JOIN checkpoints k
  ON k.thread_id = c.thread_id AND k.checkpoint_ns = '' AND k.checkpoint_id = c.head
WHERE c.id = %(case_id)s OR (%(case_id)s::text IS NULL AND c.status <> ALL(%(ended)s))
ORDER BY c.updated_at, c.id
"""  # noqa: S608 - texts of our own
_FIRST_TOLD = "SELECT at FROM audit_events WHERE id = %s"
_NAME_STEP = "UPDATE exceptions SET step = %s WHERE case_id = %s AND closed_at IS NULL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the thread of a case stands that has begun and has not ended.

    Attributes:
        takes_back: whether it is the thread of a rollback.
        graph: the fingerprint of the graph that wrote its head; None if that was before heads named it.
        version: the workflow's version that wrote it.
        since: when the case last moved.
        step: the step that said the last outcome.
        pending: the steps that run next, those that wait for people included.
        lanes: the same for each lane that runs within one of them, by its path of `STEP:TASK`.
    """

    case_id: str
    workflow: str
    status: str
    since: datetime
    takes_back: bool
    graph: str | None
    version: str
    step: str | None
    pending: list[str]
    lanes: dict[str, list[str]]

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """The steps that run next, each with the lanes in which it lies before it."""
        lanes = [
            (*(part.partition(":")[0] for part in path.split("|")), step)
            for path, steps in sorted(self.lanes.items())
            for step in steps
        ]
        return [(step,) for step in self.pending] + lanes


async def places(connection: AsyncConnection[Any], case_id: str | None = None) -> list[Place]:
    """Where the threads of all cases that have not ended stand, or that of one; the longest waiting first.

    A thread that is asked for by its case is told even if the case has ended.

    It reads what every revision from 0007 on has, so that a new version can ask a database of before.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PLACES, {"case_id": case_id, "ended": list(ENDED)})
        return [Place(**row) for row in await cursor.fetchall()]


async def place_of(session: Session, case_id: str) -> Place | None:
    """Where a case's thread stands, on the segment's own session; None if it has not begun."""
    await session.catch_up()
    async with session.turn:
        found = await places(session.connection, case_id)
    return found[0] if found else None


async def told_since(session: Session, event: Event) -> datetime:
    """Tell an event unless it was told before; returns when it was told first."""
    async with session.transaction() as cursor:
        await append_events(cursor, [event])
        row = await (await cursor.execute(_FIRST_TOLD, (event.id,))).fetchone()
    assert row is not None
    return row["at"]  # type: ignore[no-any-return] # a column of ours


async def name_step(connection: AsyncConnection[Any], case_id: str, step: str) -> None:
    """Let a case's open exception say in which step its thread stands."""
    await connection.execute(_NAME_STEP, (step, case_id))
