"""Admissions of tools from outside: who let which definition in, as what, and until when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from checkpoints import setup_schema
from checkpoints.database import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """One admission; of a tool one is in force at most.

    Attributes:
        tool: `system.verb`.
        digest: of the definition, by which it is known again.
        effect: what the person who admitted it says that it does.
        definition: what was admitted, word by word.
        changes: in what it differs from the admission before, `[{where, before, after}]`.
        ended_by: who withdrew it, or admitted another one in its place.
    """

    id: str
    tool: str
    system: str
    digest: str
    effect: str
    definition: dict[str, Any]
    changes: list[dict[str, Any]]
    admitted_by: str
    admitted_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None


_TABLE = setup_schema.tool_admissions
_COLUMNS = [_TABLE.c[name] for name in Admission.__dataclass_fields__]


async def last_admissions(tx: Transaction, systems: Collection[str]) -> list[Admission]:
    """The newest admission of each tool of these systems, in force or not, by the tool's name."""
    c = _TABLE.c
    query = select(*_COLUMNS).ext(distinct_on(c.tool)).where(c.system.in_(systems))
    rows = await tx.sql.execute(query.order_by(c.tool, c.admitted_at.desc(), c.id.desc()))
    return [_admission(row) for row in rows]


async def last_admission(tx: Transaction, tool: str) -> Admission | None:
    """The newest admission of a tool; whoever asks is alone with this tool until the transaction ends."""
    await tx.alone(f"admission of {tool}")
    c = _TABLE.c
    query = select(*_COLUMNS).where(c.tool == tool).order_by(c.admitted_at.desc(), c.id.desc()).limit(1)
    row = (await tx.sql.execute(query)).first()
    return None if row is None else _admission(row)


async def add_admission(tx: Transaction, admission: Admission) -> None:
    """Put an admission in force, in place of the one there was."""
    await end_admission(tx, admission.tool, admission.admitted_by, admission.admitted_at)
    values = {name: getattr(admission, name) for name in Admission.__dataclass_fields__}
    await tx.sql.execute(insert(_TABLE).values(values))


async def end_admission(tx: Transaction, tool: str, by: str, at: datetime) -> bool:
    """End the admission in force; returns whether there was one."""
    c = _TABLE.c
    query = update(_TABLE).where(c.tool == tool, c.ended_at.is_(None)).values(ended_by=by, ended_at=at)
    return (await tx.sql.execute(query.returning(c.id))).first() is not None


def _admission(row: Row[Any]) -> Admission:
    return Admission(**row._asdict())
