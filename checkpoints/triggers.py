"""Triggers: how far each one has looked, and why it stands still if it does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from checkpoints import setup_schema
from checkpoints.database import Transaction

_MINE = "SELECT pg_try_advisory_xact_lock(hashtextextended('countersign trigger ' || %s, 0)) AS mine"
_KNOWN = """
SELECT event_id, NULL FROM cases WHERE event_source = %s AND event_id = ANY(%s)
UNION ALL SELECT NULL, id FROM audit_events WHERE id = ANY(%s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerState:
    """How far a trigger has looked.

    Attributes:
        mark: what the trigger remembers from look to look; its own matter. No personal data.
        wake_at: while it is put off, when it is next looked at.
        tries: how often it was put off in a row.
        reason: what is the matter, since `reason_at`; None if nothing is.
    """

    name: str
    mark: dict[str, Any] = field(default_factory=dict)
    looked_at: datetime | None = None
    wake_at: datetime | None = None
    tries: int = 0
    reason: str | None = None
    reason_at: datetime | None = None


_TABLE = setup_schema.triggers
_COLUMNS = [_TABLE.c[name] for name in TriggerState.__dataclass_fields__]


async def hold_trigger(tx: Transaction, name: str) -> TriggerState | None:
    """The state of a trigger that is ours until the transaction ends; None while it is somebody else's."""
    mine = await (await tx.driver.execute(_MINE, (name,))).fetchone()
    if not (mine and mine[0]):
        return None
    row = (await tx.sql.execute(select(*_COLUMNS).where(_TABLE.c.name == name))).first()
    return TriggerState(name=name) if row is None else _state(row)


async def keep_trigger(tx: Transaction, state: TriggerState) -> None:
    """Write down the state of a trigger that is held."""
    values = asdict(state)
    query = insert(_TABLE).values(values).on_conflict_do_update(index_elements=["name"], set_=values)
    await tx.sql.execute(query)


async def trigger_states(tx: Transaction) -> dict[str, TriggerState]:
    """The states of all triggers that were ever looked at, by name."""
    rows = (await tx.sql.execute(select(*_COLUMNS))).all()
    return {row.name: _state(row) for row in rows}


async def known_among(
    tx: Transaction, source: str, event_ids: Sequence[str], told_ids: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Which of these events of a source have a case, and which of these events are on the record."""
    cursor = await tx.driver.execute(_KNOWN, (source, list(event_ids), list(told_ids)))
    rows = await cursor.fetchall()
    return {case for case, _ in rows if case is not None}, {told for _, told in rows if told is not None}


def _state(row: Row[Any]) -> TriggerState:
    return TriggerState(**row._asdict())
