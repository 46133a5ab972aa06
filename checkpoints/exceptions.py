"""Exceptions: cases at a standstill, each with its reason, its owner, its age and the way out of it.

The database opens and closes these rows with the status of the case (migration 0008): no writer can leave a
case in an exception status without one.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg.rows import dict_row
from sqlalchemy import Row, select, update

from checkpoints import schema
from checkpoints.cases import Status
from checkpoints.database import Transaction
from checkpoints.effects import EffectState
from checkpoints.errors import ExceptionClosed, ExceptionNotFound
from checkpoints.pages import Page, keyset
from checkpoints.session import Session

INFORMED = "case.informed"
"""The event that says that there is news outside of which a case may be waiting for."""
RECONCILER = "system:reconciler"
"""Who has a deed in doubt looked up again."""


class Way(StrEnum):
    """The ways out of an exception."""

    RETRY = "retry"
    RESOLVE = "resolve"
    CANCEL = "cancel"
    HAND_OVER = "hand_over"
    MOVED_ON = "moved_on"
    """Something else set the case going, such as a vote on another of its reviews."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standstill:
    """One exception of a case; at most one of a case is open.

    Attributes:
        number: which of its case's it is, from 0.
        step: the step of the graph that gave the outcome; None if the graph was stopped from outside.
        interrupt_id: what waits in the graph for a way out, if anything does.
        retryable: whether the graph can go on.
        why: what whoever closed it wrote, sealed.
        wake_at: when it is looked at again by itself, if ever.
    """

    id: str
    case_id: str
    number: int
    status: Status
    reason: str
    owner: str
    step: str | None
    interrupt_id: str | None
    retryable: bool
    opened_at: datetime
    closed_at: datetime | None = None
    way: Way | None = None
    closed_by: str | None = None
    why: str | None = None
    wake_at: datetime | None = None


class Listed(NamedTuple):
    """An exception in a list, with what its case is about."""

    standstill: Standstill
    workflow: str
    title: str


_E = schema.exceptions.c
_COLUMNS = [_E[name] for name in Standstill.__dataclass_fields__]
_LATEST = "SELECT step, way, closed_at FROM exceptions WHERE case_id = %s ORDER BY number DESC LIMIT 1"
_IN_DOUBT = """
SELECT e.id, e.opened_at,
       (SELECT count(*) FROM exceptions o WHERE o.case_id = e.case_id AND o.closed_by = %(reconciler)s
          AND o.number > coalesce((SELECT max(p.number) FROM exceptions p WHERE p.case_id = e.case_id
                                     AND p.closed_by LIKE 'person:%%'), -1)) AS tries
FROM exceptions e
WHERE e.closed_at IS NULL AND e.retryable AND EXISTS (
    SELECT 1 FROM effects d WHERE d.case_id = e.case_id AND d.state = ANY(%(doubtful)s))
  AND NOT EXISTS (
    SELECT 1 FROM effects d WHERE d.case_id = e.case_id AND d.state = ANY(%(doubtful)s)
       AND d.tool <> ALL(%(tools)s))
"""
_TRIED_LESS = f"""
SELECT * FROM ({_IN_DOUBT}) AS one WHERE tries < %(most)s ORDER BY opened_at, id LIMIT %(limit)s
"""  # noqa: S608 - a text of our own


_TO_LOOK_AT = """
SELECT e.id FROM exceptions e
WHERE e.closed_at IS NULL AND e.retryable AND (
    e.wake_at <= %(now)s
    OR e.status = 'waiting_info' AND EXISTS (
        SELECT 1 FROM audit_events n WHERE n.case_id = e.case_id AND n.kind = %(news)s AND n.seq > coalesce((
            SELECT max(r.seq) FROM audit_events r
            WHERE r.case_id = e.case_id AND r.kind = 'exception.retried'), 0)))
ORDER BY e.opened_at, e.id LIMIT %(limit)s
"""


class InDoubt(NamedTuple):
    """An open exception of a case with a deed in doubt, and how often that was looked up by itself.

    A person's retry begins the count anew.
    """

    id: str
    opened_at: datetime
    tries: int


async def get_standstill(tx: Transaction, exception_id: str, *, lock: bool = False) -> Standstill:
    """The exception with this id, locked until the transaction ends if asked; raises ExceptionNotFound."""
    query = select(*_COLUMNS).where(_E.id == exception_id)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise ExceptionNotFound(f"there is no exception {exception_id}")
    return _standstill(row)


async def standstill_of(tx: Transaction, case_id: str) -> Standstill | None:
    """The open exception of a case, if it has one."""
    query = select(*_COLUMNS).where(_E.case_id == case_id, _E.closed_at.is_(None))
    row = (await tx.sql.execute(query)).first()
    return None if row is None else _standstill(row)


async def list_standstills(
    tx: Transaction, *, limit: int, after: str | None = None, **filters: str | None
) -> Page[Listed]:
    """A page of open exceptions, newest first; raises UnknownCursor.

    `filters` are equal to `status`, `reason`, `owner`, `case_id` or the case's `workflow`.
    """
    c = schema.cases.c
    query = select(*_COLUMNS, c.workflow, c.title).join(schema.cases, c.id == _E.case_id)
    query = query.where(_E.closed_at.is_(None))
    for name, value in filters.items():
        if value is not None:
            query = query.where((c.workflow if name == "workflow" else _E[name]) == value)
    rows = (await tx.sql.execute(keyset(query, _E.opened_at, _E.id, after, limit))).all()
    listed = [Listed(_standstill(row), row.workflow, row.title) for row in rows]
    return Page.of(listed, limit, lambda one: (one.standstill.opened_at, one.standstill.id))


async def close_standstill(
    tx: Transaction, found: Standstill, way: Way, *, by: str, at: datetime, why: str | None = None
) -> Standstill:
    """Close an open exception, once; raises ExceptionClosed."""
    values = {"closed_at": at, "way": way, "closed_by": by, "why": why}
    query = update(schema.exceptions).where(_E.id == found.id, _E.closed_at.is_(None))
    if (await tx.sql.execute(query.values(values).returning(_E.id))).first() is None:
        raise ExceptionClosed
    return replace(found, closed_at=at, way=way, closed_by=by, why=why)


async def in_doubt(tx: Transaction, tools: Collection[str], *, most: int, limit: int) -> list[InDoubt]:
    """Open exceptions of cases whose graph can go on and that have deeds in doubt, by these tools alone.

    Only those that were looked up by themselves less than `most` times; the oldest first.
    """
    doubtful = [EffectState.INTENDED.value, EffectState.UNKNOWN.value]
    values = {"reconciler": RECONCILER, "doubtful": doubtful, "tools": list(tools)}
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_TRIED_LESS, values | {"most": most, "limit": limit})
        return [InDoubt(**row) for row in await cursor.fetchall()]


async def to_look_at(tx: Transaction, now: datetime, *, limit: int) -> list[str]:
    """Open exceptions whose time has come, or of whose case there is news that nobody has looked at.

    News may come while a case is just about to wait: then nothing else tells it.
    """
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_TO_LOOK_AT, {"now": now, "news": INFORMED, "limit": limit})
        return [row["id"] for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class SessionExceptions:
    """Exceptions as a graph that waits in one reads them: on the segment's own session."""

    session: Session

    async def retried_step(self, case_id: str) -> str | None:
        """The step to go on from, as soon as a way out leads back into the graph; None until then."""
        await self.session.catch_up()
        async with self.session.asking() as cursor:
            row = await (await cursor.execute(_LATEST, (case_id,))).fetchone()
        if row is None or row["closed_at"] is None or row["way"] not in {Way.RETRY, Way.MOVED_ON}:
            return None
        return row["step"] or ""


def _standstill(row: Row[Any]) -> Standstill:
    values = {name: getattr(row, name) for name in Standstill.__dataclass_fields__}
    way = None if values["way"] is None else Way(values["way"])
    return Standstill(**values | {"status": Status(values["status"]), "way": way})
