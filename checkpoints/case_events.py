"""A case's own events, whole and in their order, each with its place in the tree."""

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from checkpoints.audit import Event
from checkpoints.database import Transaction

_OF_CASE = """
SELECT e.id, e.case_id, e.kind, e.actor, e.at, e.data, l.index
FROM audit_events e LEFT JOIN audit_leaves l ON l.seq = e.seq WHERE e.case_id = %s ORDER BY e.seq
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


async def shown_in(tx: Transaction, case_id: str) -> dict[str, dict[str, Any]]:
    """By review of a case, what was shown beside the action."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT id, shown FROM reviews WHERE case_id = %s", (case_id,))
        return {row["id"]: row["shown"] for row in await cursor.fetchall()}
