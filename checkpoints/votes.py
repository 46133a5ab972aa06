"""Votes: what people said and did to a review, each once and for ever."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row, tuple_row
from sqlalchemy import insert, select

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.errors import AlreadyVoted


class VoteKind(StrEnum):
    """What somebody says to a review."""

    APPROVE = "approve"
    OVERRIDE = "override"
    BREAK_GLASS = "break_glass"
    REJECT = "reject"
    EDIT = "edit"
    ESCALATE = "escalate"
    REQUEST_INFO = "request_info"
    INFO = "info"
    COMMENT = "comment"
    WITHDRAWN = "withdrawn"


APPROVING = frozenset({VoteKind.APPROVE, VoteKind.OVERRIDE, VoteKind.BREAK_GLASS})
"""What counts as a signature."""
DECIDING = APPROVING | {VoteKind.REJECT}
"""What a person says once to a review."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """What one person said to one review.

    Attributes:
        humans: whose eyes it counts for: the voter's, and the delegator's if it is on somebody's behalf.
        delegation: the delegation by which it is on somebody's behalf.
        rung: for an approval, the place on the ladder that it fills; None stands in for all of them.
        patch: for an edit, `[{op, path, value}]` on the arguments (RFC 6902).
        attempt: how often this person had voted here before and taken it back.
        withdrawn_at: when it was taken back; its kind then reads `withdrawn`, and it counts for nothing.
    """

    id: str
    review_id: str
    person: str
    humans: list[str]
    on_behalf_of: str | None = None
    delegation: str | None = None
    role: str | None
    rung: int | None = None
    kind: VoteKind
    digest: str
    reason_code: str | None = None
    comment: str | None
    patch: list[dict[str, Any]] | None = None
    voted_at: datetime
    attempt: int = 0
    withdrawn_at: datetime | None = None


_STORED = tuple(name for name in Vote.__dataclass_fields__ if name != "withdrawn_at")
_COLUMNS = [*(schema.votes.c[name] for name in _STORED), schema.withdrawals.c.at.label("withdrawn_at")]
_ALL = schema.votes.outerjoin(schema.withdrawals)
_SAID = f"""
SELECT {", ".join(f"v.{name}" for name in _STORED)}, w.at AS withdrawn_at
FROM votes v LEFT JOIN withdrawals w ON w.vote_id = v.id
WHERE v.review_id = ANY(%s) ORDER BY v.voted_at, v.id
"""  # noqa: S608 - fixed words of this file
_EDITED = """
SELECT r.case_id, v.humans FROM reviews r JOIN votes v ON v.review_id = r.id
WHERE r.case_id = ANY(%s) AND v.kind = 'edit'
"""
_SPENT = """
SELECT v.humans, r.tool, r.amount_minor, r.currency FROM votes v JOIN reviews r ON r.id = v.review_id
WHERE v.humans && %(humans)s AND v.kind = ANY(%(kinds)s) AND v.voted_at > %(since)s
  AND r.kind = 'gate' AND r.status IN ('open', 'approved') AND r.tool = ANY(%(tools)s)
  AND r.amount_minor IS NOT NULL AND r.id <> %(but)s
  AND NOT EXISTS (SELECT FROM withdrawals w WHERE w.vote_id = v.id)
"""


async def votes_on(tx: Transaction, review_id: str) -> list[Vote]:
    """All that was said to a review, oldest first."""
    v = schema.votes.c
    query = select(*_COLUMNS).select_from(_ALL).where(v.review_id == review_id).order_by(v.voted_at, v.id)
    return [vote_of(row._asdict()) for row in (await tx.sql.execute(query)).all()]


async def votes_on_many(tx: Transaction, review_ids: Sequence[str]) -> dict[str, list[Vote]]:
    """The same for several reviews, by review."""
    found: dict[str, list[Vote]] = {review_id: [] for review_id in review_ids}
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SAID, [list(found)])
        for row in await cursor.fetchall():
            found[row["review_id"]].append(vote_of(row))
    return found


async def add_vote(tx: Transaction, vote: Vote) -> None:
    """Add a vote; the review must be locked. Raises AlreadyVoted if this person has decided there."""
    values = {name: getattr(vote, name) for name in _STORED}
    if vote.kind in DECIDING:
        earlier = [one for one in await votes_on(tx, vote.review_id) if one.person == vote.person]
        if any(one.kind in DECIDING for one in earlier):
            raise AlreadyVoted
        values["attempt"] = sum(one.kind is VoteKind.WITHDRAWN for one in earlier)
    await tx.sql.execute(insert(schema.votes).values(values))


async def withdraw_vote(tx: Transaction, vote_id: str, by: str, at: datetime) -> None:
    """Take a vote back; the review must be locked. What was voted stays on the record."""
    await tx.sql.execute(insert(schema.withdrawals).values(vote_id=vote_id, by=by, at=at))


async def editors_in(tx: Transaction, case_ids: Sequence[str]) -> dict[str, set[str]]:
    """By case, the eyes of whoever edited an action in it."""
    found: dict[str, set[str]] = {case_id: set() for case_id in case_ids}
    async with tx.driver.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_EDITED, [list(found)])
        for case_id, humans in await cursor.fetchall():
            found[case_id].update(humans)
    return found


async def approved_by(
    connection: AsyncConnection[Any], human: str, *, tool: str, since: datetime, but: str = ""
) -> list[tuple[int, str]]:
    """The amounts that these eyes have signed for a tool since then, `(amount_minor, currency)`.

    A review that was not approved in the end does not count, nor does the one named by `but`.
    """
    return (await approved_by_many(connection, [human], tools=[tool], since=since, but=but))[human, tool]


async def approved_by_many(
    connection: AsyncConnection[Any],
    humans: Collection[str],
    *,
    tools: Collection[str],
    since: datetime,
    but: str = "",
) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """The same for each of these eyes with each of these tools, `(human, tool)`."""
    asked = {"humans": list(humans), "tools": list(tools), "since": since, "but": but}
    found: dict[tuple[str, str], list[tuple[int, str]]] = {one: [] for one in product(humans, tools)}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_SPENT, asked | {"kinds": sorted(APPROVING)})
        for signed, tool, minor, currency in await cursor.fetchall():
            for human in set(signed).intersection(humans):
                found[human, tool].append((minor, currency))
    return found


def vote_of(values: dict[str, Any]) -> Vote:
    """A vote from its row; one that was taken back reads so."""
    kind = VoteKind.WITHDRAWN if values["withdrawn_at"] else VoteKind(values["kind"])
    return Vote(**values | {"kind": kind})
