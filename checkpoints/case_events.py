"""A case's own events, whole and in their order, each with its place in the tree."""

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from checkpoints.audit import Event
from checkpoints.database import Transaction
from checkpoints.session import Session

_OF_CASE = """
SELECT e.id, e.case_id, e.kind, e.actor, e.at, e.data, l.index
FROM audit_events e LEFT JOIN audit_leaves l ON l.seq = e.seq WHERE e.case_id = %s ORDER BY e.seq
"""
_FOUND = """
SELECT DISTINCT ON (data ->> 'agent') data ->> 'agent' AS agent, data -> 'output' AS output
FROM audit_events WHERE case_id = %s AND kind = 'agent.found' ORDER BY data ->> 'agent', seq DESC
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """An event and the index of its leaf; None while it waits for the tree."""

    event: Event
    index: int | None


async def placed_events(tx: Transaction, case_id: str) -> list[Placed]:
    """Every event of a case, oldest first."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_OF_CASE, (case_id,))
        rows = await cursor.fetchall()
    return [Placed(index=row.pop("index"), event=Event(**row)) for row in rows]


async def case_events(tx: Transaction, case_id: str) -> list[Event]:
    """Every event of a case, oldest first, without its place."""
    return [one.event for one in await placed_events(tx, case_id)]


@dataclass(frozen=True, slots=True)
class SessionFindings:
    """What agents have said, as a judge reads it: from the log, on the segment's own session."""

    session: Session

    async def of(self, case_id: str) -> dict[str, dict[str, Any]]:
        """By agent of a case the output it gave last, with what is personal in it sealed."""
        await self.session.catch_up()
        async with self.session.asking() as cursor:
            await cursor.execute(_FOUND, (case_id,))
            return {row["agent"]: row["output"] for row in await cursor.fetchall()}


async def shown_in(tx: Transaction, case_id: str) -> dict[str, dict[str, Any]]:
    """By review of a case, what was shown beside the action."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT id, shown FROM reviews WHERE case_id = %s", (case_id,))
        return {row["id"]: row["shown"] for row in await cursor.fetchall()}
