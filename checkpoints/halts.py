"""Halts: what must stand still until somebody lets it go on, and the cases that wait for that.

Who presses holds a lock alone that every intent shares: an intent is either written before the halt, or sees
it. So nothing has to be told of a halt, and nothing can have heard of it too late.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row

from checkpoints.audit import Event, append_events, tell
from checkpoints.database import Transaction
from checkpoints.errors import Halted, HaltNotFound
from checkpoints.session import Session
from checkpoints.unit import Statements


class HaltScope(StrEnum):
    """What a halt is about."""

    EVERYTHING = "everything"
    WORKFLOW = "workflow"
    AGENT = "agent"
    TOOL = "tool"
    CONNECTOR = "connector"


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """An order to stand still, in force until it is released.

    Attributes:
        target: the name of what stands still; None for everything.
        operators_words: a remark of whoever pressed. It is kept in clear: a halt belongs to no case under
            whose key it could be sealed, so nothing personal belongs here, and no event repeats it.
    """

    id: str
    scope: HaltScope
    target: str | None
    reason_code: str
    operators_words: str | None
    pressed_by: str
    pressed_at: datetime
    released_by: str | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a halt may be about: a step of a workflow, for an agent or a tool.

    Attributes:
        agent: as the record names it, `agent:policy`.
    """

    workflow: str
    agent: str | None = None
    tool: str | None = None

    def values(self) -> dict[str, Any]:
        """As the queries take it."""
        return {"workflow": self.workflow, "agent": self.agent, "tool": self.tool}


@dataclass(frozen=True, kw_only=True, slots=True)
class HaltWait:
    """A case that waits for a release: with a pause of its graph, or with a command that is put off."""

    id: int
    case_id: str
    command_id: str | None
    interrupt_id: str | None


_MATCHES = """
h.released_at IS NULL AND (h.scope = 'everything'
    OR (h.scope = 'workflow' AND h.target = {workflow})
    OR (h.scope = 'agent' AND 'agent:' || h.target = {agent})
    OR (h.scope = 'tool' AND h.target = {tool})
    OR (h.scope = 'connector' AND h.target = split_part({tool}, '.', 1)))
"""
_ON_SUBJECT = _MATCHES.format(workflow="%(workflow)s::text", agent="%(agent)s::text", tool="%(tool)s::text")
_ON_WAIT = _MATCHES.format(workflow="w.workflow", agent="w.agent", tool="w.tool")
_IN_FORCE = f"SELECT h.id FROM halts h WHERE {_ON_SUBJECT} ORDER BY h.id"  # noqa: S608 - fixed texts
_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended('countersign halts', 0))"
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('countersign halts', 0))"
_PRESS = """
INSERT INTO halts (id, scope, target, reason_code, operators_words, pressed_by, pressed_at)
VALUES (%(id)s, %(scope)s, %(target)s, %(reason_code)s, %(operators_words)s, %(pressed_by)s, %(pressed_at)s)
"""
_RELEASE = (
    "UPDATE halts SET released_by = %s, released_at = %s WHERE id = %s AND released_at IS NULL RETURNING id"
)
_LIST = "SELECT * FROM halts WHERE released_at IS NULL OR %s ORDER BY pressed_at DESC, id DESC LIMIT %s"
_WAIT = """
INSERT INTO halt_waits (case_id, command_id, interrupt_id, workflow, agent, tool, since)
VALUES (%(case_id)s, %(command_id)s, %(interrupt_id)s, %(workflow)s, %(agent)s, %(tool)s, %(since)s)
ON CONFLICT DO NOTHING
"""
_BLOCK = """
UPDATE cases SET status = 'blocked', reason = 'halted', owner = %(owner)s, updated_at = %(since)s
WHERE id = %(case_id)s AND status IN ('received', 'running', 'approved', 'executed')
"""
_FREE = f"""
UPDATE halt_waits SET woken_at = %(at)s WHERE id IN (
    SELECT w.id FROM halt_waits w
    WHERE w.woken_at IS NULL AND NOT EXISTS (SELECT 1 FROM halts h WHERE {_ON_WAIT})
    ORDER BY w.id FOR UPDATE SKIP LOCKED)
RETURNING id, case_id, command_id, interrupt_id
"""  # noqa: S608 - fixed texts
_UNBLOCK = """
UPDATE cases c SET status = CASE WHEN head IS NULL THEN 'received' ELSE 'running' END, reason = NULL,
    owner = NULL, updated_at = %(at)s
WHERE id = %(case_id)s AND status = 'blocked' AND reason = 'halted' AND NOT EXISTS (
    SELECT 1 FROM halt_waits w WHERE w.case_id = c.id AND w.woken_at IS NULL)
"""


async def press(tx: Transaction, halt: Halt, event: Event) -> None:
    """Put a halt in force: every intent of before is written when this returns, and none comes after."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ALONE)
        await cursor.execute(_PRESS, {name: getattr(halt, name) for name in Halt.__dataclass_fields__})
        await append_events(cursor, [event])


async def release(tx: Transaction, halt_id: str, by: str, at: datetime, event: Event) -> bool:
    """End a halt; returns False if it was released before. Those who wait are freed by `free_waits`."""
    cursor = await tx.driver.execute(_RELEASE, (by, at, halt_id))
    released = await cursor.fetchone() is not None
    if released:
        await tell(tx, event)
    return released


async def get_halt(tx: Transaction, halt_id: str) -> Halt:
    """The halt with this id; raises HaltNotFound."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute("SELECT * FROM halts WHERE id = %s", (halt_id,))).fetchone()
    if row is None:
        raise HaltNotFound(f"there is no halt {halt_id}")
    return _halt(row)


async def list_halts(tx: Transaction, *, released: bool, limit: int) -> list[Halt]:
    """The halts in force, or all of them, newest first."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_LIST, (released, limit))).fetchall()
    return [_halt(row) for row in rows]


async def free_waits(tx: Transaction, at: datetime) -> list[HaltWait]:
    """Those who wait for nothing any more; whoever gets one has to wake it, in this transaction."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_FREE, {"at": at})).fetchall()
        for row in rows:
            await cursor.execute(_UNBLOCK, {"at": at, "case_id": row["case_id"]})
    return [HaltWait(**row) for row in sorted(rows, key=lambda row: int(row["id"]))]


async def share_halts(trial: AsyncConnection[Any], subject: Subject) -> AsyncCursor[Any]:
    """Ask which halts this must stand still for, and let none come until the trial has ended."""
    await trial.execute(_SHARED)
    return await trial.cursor().execute(_IN_FORCE, subject.values())


async def require_none(halts: AsyncCursor[Any]) -> None:
    """Raise Halted if there are any."""
    if rows := await halts.fetchall():
        raise Halted(", ".join(str(row[0]) for row in rows))


async def wait_for_release(to: Statements, wait: dict[str, Any]) -> None:
    """Note that a case waits, say so, and let it stand as blocked; once, however often it is written.

    Args:
        to: of the transaction that holds the pause.
        wait: `{case_id, interrupt_id or command_id, workflow, agent, tool, since, owner, event}`.
    """
    row: dict[str, Any] = {"command_id": None, "interrupt_id": None}
    row |= {name: value for name, value in wait.items() if name != "event"}
    row["since"] = datetime.fromisoformat(row["since"])
    await to.execute(_WAIT, row)
    await to.execute(_BLOCK, row)
    await append_events(to, [Event.from_json(wait["event"])])


@dataclass(frozen=True, slots=True)
class SessionHalts:
    """Halts as the steps of a segment ask for them: on its own session, each time."""

    session: Session

    async def in_force(self, subject: Subject) -> list[str]:
        """The ids of the halts because of which this must stand still."""
        async with self.session.asking() as cursor:
            return await _in_force(cursor, subject)

    async def wait(self, wait: dict[str, Any]) -> None:
        """Note that a case waits with a command that is put off."""
        async with self.session.transaction() as cursor:
            await wait_for_release(cursor, wait)


async def _in_force(cursor: AsyncCursor[DictRow], subject: Subject) -> list[str]:
    rows = await (await cursor.execute(_IN_FORCE, subject.values())).fetchall()
    return [str(row["id"]) for row in rows]


def _halt(row: DictRow) -> Halt:
    return Halt(**row | {"scope": HaltScope(row["scope"])})
