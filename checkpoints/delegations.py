"""Delegations: somebody's right to decide, lent to another person, with an end and perhaps a limit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from sqlalchemy import Row, func, insert, or_, select, update

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.errors import DelegationNotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """What one person lends another; it is never more than the lender has at the moment it is used.

    Attributes:
        workflow: where it holds; None is everywhere.
        amount_minor: the most that one deed may be about, in minor units of `currency`; None sets no limit.
    """

    id: str
    from_person: str
    to_person: str
    workflow: str | None
    amount_minor: int | None
    currency: str | None
    reason: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    revoked_at: datetime | None = None

    def holds(self, workflow: str, at: datetime) -> bool:
        """Whether it can be used in this workflow at this time."""
        in_time = self.starts_at <= at < self.ends_at and self.revoked_at is None
        return in_time and self.workflow in {None, workflow}


_LENT = """
SELECT * FROM delegations
WHERE to_person = %(to)s AND revoked_at IS NULL AND starts_at <= %(at)s AND ends_at > %(at)s
ORDER BY created_at, id
"""
_COLUMNS = [schema.delegations.c[name] for name in Delegation.__dataclass_fields__]


async def add_delegation(tx: Transaction, delegation: Delegation) -> None:
    """Store a delegation."""
    values = {name: getattr(delegation, name) for name in Delegation.__dataclass_fields__}
    await tx.sql.execute(insert(schema.delegations).values(values))


async def get_delegation(tx: Transaction, delegation_id: str) -> Delegation:
    """The delegation with this id; raises DelegationNotFound."""
    d = schema.delegations.c
    row = (await tx.sql.execute(select(*_COLUMNS).where(d.id == delegation_id))).first()
    if row is None:
        raise DelegationNotFound(f"there is no delegation {delegation_id}")
    return _delegation(row)


async def delegations_of(tx: Transaction, actor: str) -> list[Delegation]:
    """All delegations from or to somebody, newest first."""
    d = schema.delegations.c
    query = select(*_COLUMNS).where(or_(d.from_person == actor, d.to_person == actor))
    rows = (await tx.sql.execute(query.order_by(d.created_at.desc(), d.id))).all()
    return [_delegation(row) for row in rows]


async def delegations_to(tx: Transaction, actor: str, at: datetime) -> list[Delegation]:
    """What is lent to somebody at this time."""
    async with tx.driver.cursor(row_factory=class_row(Delegation)) as cursor:
        return await (await cursor.execute(_LENT, {"to": actor, "at": at})).fetchall()


async def standing_of(tx: Transaction, actor: str, at: datetime) -> int:
    """How many rights somebody lends at this time."""
    d = schema.delegations.c
    query = select(func.count()).where(d.from_person == actor, d.revoked_at.is_(None), d.ends_at > at)
    return int((await tx.sql.execute(query)).scalar_one())


async def revoke_delegation(tx: Transaction, delegation_id: str, at: datetime) -> bool:
    """End a delegation; returns False if it was revoked before."""
    d = schema.delegations.c
    query = update(schema.delegations).where(d.id == delegation_id, d.revoked_at.is_(None))
    return (await tx.sql.execute(query.values(revoked_at=at).returning(d.id))).first() is not None


def _delegation(row: Row[Any]) -> Delegation:
    return Delegation(**row._asdict())
