"""Grants: each the right to run one action once."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from sqlalchemy import insert, update

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.errors import GrantUnusable


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """The right to run the action with this digest once, until it expires.

    Attributes:
        basis: `{"rules": …}` for an automatic grant, `{"people": […]}` for one that was voted.
        usable_from: not to be used before; until then the decision can be taken back, and it is `revoked_at`.
    """

    id: str
    case_id: str
    review_id: str | None
    proposal_id: str
    digest: str
    action: dict[str, Any]
    basis: dict[str, Any]
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    usable_from: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """For which case a grant is to be used, for the action with which digest, and when."""

    case_id: str
    digest: str
    at: datetime


_INSERT = """
INSERT INTO grants (id, case_id, review_id, proposal_id, digest, action, basis, issued_at, expires_at)
VALUES (%(id)s, %(case_id)s, %(review_id)s, %(proposal_id)s, %(digest)s, %(action)s, %(basis)s,
        %(issued_at)s, %(expires_at)s)
"""
_USE = """
WITH live AS (
    SELECT id FROM cases WHERE id = %(case_id)s AND status <> 'cancelled'
       AND NOT (status = 'closed' AND reason IS NOT DISTINCT FROM 'resolved_by_hand')
    FOR SHARE  -- whoever ends the case meanwhile waits, or is waited for
)
UPDATE grants SET used_at = %(at)s
WHERE case_id IN (SELECT id FROM live) AND id = %(id)s AND case_id = %(case_id)s AND digest = %(digest)s
  AND used_at IS NULL AND expires_at > %(at)s
  AND revoked_at IS NULL AND (usable_from IS NULL OR usable_from <= %(at)s)
RETURNING id
"""
_STANDING = "SELECT * FROM grants WHERE case_id = %s AND review_id = %s AND revoked_at IS NULL"


async def add_grant(tx: Transaction, grant: Grant) -> None:
    """Store the grant that a decision gives."""
    await tx.sql.execute(insert(schema.grants).values(asdict(grant)))


async def revoke_grant(tx: Transaction, review_id: str, at: datetime) -> bool:
    """Make the grant of a review unusable for ever; False if it is used already, or there is none."""
    g = schema.grants.c
    query = update(schema.grants).where(g.review_id == review_id, g.used_at.is_(None), g.revoked_at.is_(None))
    return (await tx.sql.execute(query.values(revoked_at=at).returning(g.id))).first() is not None


async def standing_grant(cursor: AsyncCursor[DictRow], case_id: str, review_id: str) -> Grant | None:
    """The grant that the approval of this review gave, used or not."""
    row = await (await cursor.execute(_STANDING, (case_id, review_id))).fetchone()
    return None if row is None else Grant(**row)


async def use_grant(trial: AsyncConnection[Any], grant: Grant, use: Use) -> AsyncCursor[Any]:
    """Use a grant up in the transaction of an intent; `require_used` then asks whether that went.

    A grant without a review is the gateway's own, given by the rules, and is stored first.
    """
    if grant.review_id is None:
        own = asdict(grant) | {"action": Jsonb(grant.action), "basis": Jsonb(grant.basis)}
        await trial.execute(_INSERT, own)
    return await trial.execute(_USE, {"id": grant.id, **asdict(use)})


async def require_used(used: AsyncCursor[Any]) -> None:
    """Raise GrantUnusable if it is used, expired, or for another action, or people have ended the case."""
    if await used.fetchone() is None:
        raise GrantUnusable
