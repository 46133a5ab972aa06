"""Reviews: durable requests to people; a decision is written once, by compare-and-set."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import Row, insert, select, update

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.errors import AlreadyVoted, ReviewNotFound
from checkpoints.pages import Page, keyset
from checkpoints.session import Session


class ReviewStatus(StrEnum):
    """How far a review is."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class VoteKind(StrEnum):
    """What a person says to a review."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """A request to decide one action.

    Attributes:
        action: the canonical action, resolved; what will run.
        digest: SHA-256 of `action`, what a vote binds itself to.
        shown: what a reviewer is shown beside it: verdict, facts, evidence, recommendation, undo.
        ladder: rungs `{role, people, why}`, all of which must approve.
    """

    id: str
    case_id: str
    workflow: str
    interrupt_id: str
    action: dict[str, Any]
    digest: str
    shown: dict[str, Any]
    ladder: list[dict[str, Any]]
    risk: str
    amount_minor: int | None
    currency: str | None
    status: ReviewStatus
    opened_at: datetime
    due_at: datetime
    expires_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One person's decision on one review."""

    id: str
    review_id: str
    person: str
    role: str
    kind: VoteKind
    digest: str
    comment: str | None
    voted_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """How a review stands, as the gate and the gateway read it: what was shown, its digest, who voted."""

    status: ReviewStatus
    action: dict[str, Any]
    digest: str
    votes: tuple[Vote, ...]


_COLUMNS = [schema.reviews.c[name] for name in Review.__dataclass_fields__]
_VOTE_COLUMNS = [schema.votes.c[name] for name in Vote.__dataclass_fields__]


async def get_review(tx: Transaction, review_id: str, *, lock: bool = False) -> Review:
    """The review with this id, locked until the transaction ends if asked; raises ReviewNotFound."""
    query = select(*_COLUMNS).where(schema.reviews.c.id == review_id)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise ReviewNotFound(f"there is no review {review_id}")
    return _review(row)


async def list_reviews(
    tx: Transaction,
    *,
    limit: int,
    after: str | None = None,
    status: ReviewStatus | None = None,
    case_id: str | None = None,
) -> Page[Review]:
    """A page of reviews, newest first; raises UnknownCursor."""
    c = schema.reviews.c
    query = select(*_COLUMNS)
    if status is not None:
        query = query.where(c.status == status)
    if case_id is not None:
        query = query.where(c.case_id == case_id)
    rows = (await tx.sql.execute(keyset(query, c.opened_at, c.id, after, limit))).all()
    return Page.of([_review(row) for row in rows], limit, lambda review: (review.opened_at, review.id))


async def votes_on(tx: Transaction, review_id: str) -> list[Vote]:
    """All votes on a review, oldest first."""
    v = schema.votes.c
    query = select(*_VOTE_COLUMNS).where(v.review_id == review_id).order_by(v.voted_at, v.id)
    return [_vote(row._asdict()) for row in (await tx.sql.execute(query)).all()]


async def add_vote(tx: Transaction, vote: Vote) -> None:
    """Add a vote; the review must be locked. Raises AlreadyVoted if this person has one there."""
    if any(vote.person == earlier.person for earlier in await votes_on(tx, vote.review_id)):
        raise AlreadyVoted
    values = {name: getattr(vote, name) for name in Vote.__dataclass_fields__}
    await tx.sql.execute(insert(schema.votes).values(values))


async def decide_review(tx: Transaction, review_id: str, status: ReviewStatus, at: datetime) -> bool:
    """Close an open review; returns False if it was not open any more."""
    c = schema.reviews.c
    query = update(schema.reviews).where(c.id == review_id, c.status == ReviewStatus.OPEN)
    result = await tx.sql.execute(query.values(status=status, decided_at=at).returning(c.id))
    return result.first() is not None


_STANDING = """
SELECT r.status, r.action, r.digest AS signed, v.*
FROM reviews r LEFT JOIN votes v ON v.review_id = r.id
WHERE r.id = %s ORDER BY v.voted_at, v.id
"""


@dataclass(frozen=True, slots=True)
class SessionReviews:
    """Reviews as a gate reads them: on the segment's own session."""

    session: Session

    async def decision(self, review_id: str) -> Decision | None:
        """How a review stands, open or decided; None if there is none."""
        async with self.session.turn, self.session.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_STANDING, (review_id,))
            rows = await cursor.fetchall()
        if not rows:
            return None
        votes = tuple(
            _vote({name: row[name] for name in Vote.__dataclass_fields__}) for row in rows if row["id"]
        )
        review = rows[0]
        return Decision(
            status=ReviewStatus(review["status"]),
            action=review["action"],
            digest=review["signed"],
            votes=votes,
        )


def _review(row: Row[Any]) -> Review:
    values = row._asdict()
    return Review(**values | {"status": ReviewStatus(values["status"])})


def _vote(values: dict[str, Any]) -> Vote:
    return Vote(**values | {"kind": VoteKind(values["kind"])})
