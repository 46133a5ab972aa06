"""Cases: one run of a workflow on an event; the row says where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import Row, and_, select, update
from sqlalchemy.dialects.postgresql import insert

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.errors import CaseNotFound
from checkpoints.pages import Page, keyset


class Status(StrEnum):
    """Where a case stands."""

    RECEIVED = "received"
    RUNNING = "running"
    WAITING_REVIEW = "waiting_review"
    WAITING_INFO = "waiting_info"
    APPROVED = "approved"
    EXECUTED = "executed"
    CLOSED = "closed"
    REJECTED = "rejected"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNCERTAIN = "uncertain"
    ESCALATED = "escalated"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"


UNDER_WAY = (Status.RECEIVED, Status.RUNNING, Status.APPROVED, Status.EXECUTED)
"""Statuses in which a worker has something to do."""
ENDED = (Status.CLOSED, Status.REJECTED, Status.CANCELLED, Status.ROLLED_BACK)
"""Statuses in which nobody has anything to do any more."""
UNENDED = tuple(status.value for status in Status if status not in ENDED)
"""Statuses in which somebody has: so few that they are counted and looked through one by one."""
EXCEPTIONAL = (Status.BLOCKED, Status.UNCERTAIN, Status.FAILED, Status.ESCALATED)
"""Statuses in which a case waits for somebody to find a way out; each has an open row in `exceptions`."""
INFO_REQUESTED = "info_requested"
"""The reason of a case that waits for information that a reviewer has asked for: it waits with its review."""


_ASKED = "SELECT id, opened_by, rollback FROM cases WHERE id = ANY(%s)"
_TO_BEGIN = "SELECT workflow, count(*) FROM cases WHERE status = 'received' GROUP BY workflow"


async def waiting_to_begin(tx: Transaction) -> dict[str, int]:
    """By workflow how many cases no worker has begun with."""
    rows = await (await tx.driver.execute(_TO_BEGIN)).fetchall()
    return {str(workflow): int(many) for workflow, many in rows}


def stands_still(status: Status, reason: str | None) -> bool:
    """Whether such a case has an open row in `exceptions`: also if it waits for somebody outside."""
    waits = status is Status.WAITING_INFO and reason != INFO_REQUESTED
    return waits or status in EXCEPTIONAL


RESOLVED_BY_HAND = "resolved_by_hand"
"""The reason of a case that a person closed, whatever its graph had come to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A case. Times are UTC-aware.

    Attributes:
        rules: by tool, the digest of the rule table that was in force when the case began; it keeps them.
        sealing_key: 64 hex digits from which the salts of its sealed values are derived; leaves the process
            nowhere, and is made anew when one of them is erased.
        thread_id: the thread on which it runs now: its id, or that of its last rollback.
        rollback: the last one that was asked for, `{number, by, why, at, digest, batch}`.
        parent_id: the case that opened it, if one did; `depth` is how many stand above it.
    """

    id: str
    workflow: str
    workflow_version: str
    event_source: str
    event_id: str
    event: dict[str, Any]
    rules: dict[str, str]
    title: str
    opened_by: str
    status: Status
    reason: str | None = None
    owner: str | None = None
    head: str | None = None
    sealing_key: str
    parent_id: str | None = None
    depth: int = 0
    created_at: datetime
    updated_at: datetime
    thread_id: str = ""
    rollback: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.thread_id:
            object.__setattr__(self, "thread_id", self.id)

    @property
    def ended_by_people(self) -> bool:
        """Whether a person cancelled or closed it: its graph goes on no more, wherever it stands."""
        by_hand = self.status is Status.CLOSED and self.reason == RESOLVED_BY_HAND
        return by_hand or self.status is Status.CANCELLED


_CLOSED_BY_HAND = and_(
    schema.cases.c.status == Status.CLOSED,
    schema.cases.c.reason.is_not_distinct_from(RESOLVED_BY_HAND),
)
_COLUMNS = [schema.cases.c[name] for name in Case.__dataclass_fields__]


async def add_case(tx: Transaction, case: Case) -> bool:
    """Insert a case unless its event `(source, id)` already has one; returns whether it was inserted."""
    values = {name: getattr(case, name) for name in Case.__dataclass_fields__}
    query = insert(schema.cases).values(values).on_conflict_do_nothing().returning(schema.cases.c.id)
    return (await tx.sql.execute(query)).first() is not None


async def case_of_event(tx: Transaction, source: str, event_id: str) -> Case | None:
    """The case that an event opened, if it did."""
    c = schema.cases.c
    query = select(*_COLUMNS).where(c.event_source == source, c.event_id == event_id)
    row = (await tx.sql.execute(query)).first()
    return None if row is None else _case(row)


async def get_case(tx: Transaction, case_id: str, *, lock: bool = False) -> Case:
    """The case with this id, locked until the transaction ends if asked to; raises CaseNotFound."""
    query = select(*_COLUMNS).where(schema.cases.c.id == case_id)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise CaseNotFound(f"there is no case {case_id}")
    return _case(row)


async def get_cases(tx: Transaction, case_ids: Sequence[str]) -> dict[str, Case]:
    """The cases with these ids, by id."""
    rows = await tx.sql.execute(select(*_COLUMNS).where(schema.cases.c.id.in_(case_ids)))
    return {row.id: _case(row) for row in rows}


async def asked_in(tx: Transaction, case_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By case, what says who asked for it: of its row `{opened_by, rollback}`."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_ASKED, [list(case_ids)])).fetchall()
    return {row["id"]: row for row in rows}


async def list_cases(
    tx: Transaction,
    *,
    limit: int,
    after: str | None = None,
    status: Status | None = None,
    workflow: str | None = None,
) -> Page[Case]:
    """A page of cases, newest first; raises UnknownCursor."""
    c = schema.cases.c
    query = select(*_COLUMNS)
    if status is not None:
        query = query.where(c.status == status)
    if workflow is not None:
        query = query.where(c.workflow == workflow)
    rows = (await tx.sql.execute(keyset(query, c.created_at, c.id, after, limit))).all()
    return Page.of([_case(row) for row in rows], limit, lambda case: (case.created_at, case.id))


async def move_case(
    tx: Transaction,
    case_id: str,
    status: Status,
    at: datetime,
    *,
    reason: str | None = None,
    owner: str | None = None,
) -> None:
    """Set where a case stands; one that people have ended is not set going again."""
    c, values = schema.cases.c, {"status": status, "reason": reason, "owner": owner, "updated_at": at}
    query = update(schema.cases).where(c.id == case_id)
    if status not in ENDED:
        query = query.where(c.status != Status.CANCELLED, ~_CLOSED_BY_HAND)
    await tx.sql.execute(query.values(values))


def thread_of(case_id: str, rollback: int = 0) -> str:
    """The thread that a case runs on: first its own, then that of its rollback of this number."""
    return f"{case_id}.r{rollback}" if rollback else case_id


async def to_thread(tx: Transaction, case_id: str, rollback: dict[str, Any], at: datetime) -> None:
    """Let a locked case go on with a rollback, on a thread that has not begun yet."""
    values: dict[str, Any] = {
        "thread_id": thread_of(case_id, rollback["number"]),
        "rollback": rollback,
        "head": None,
        "status": Status.RUNNING,
        "pruned_at": None,
    }
    values |= {"reason": None, "owner": None, "updated_at": at}
    await tx.sql.execute(update(schema.cases).where(schema.cases.c.id == case_id).values(values))


def _case(row: Row[Any]) -> Case:
    values = row._asdict()
    return Case(**values | {"status": Status(values["status"])})
