"""Reviews: durable requests to people; a decision is written once, by compare-and-set."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString

from psycopg.rows import DictRow
from sqlalchemy import Row, insert, select, update

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.delegations import Delegation
from checkpoints.errors import ReviewNotFound
from checkpoints.pages import Page, keyset
from checkpoints.session import Session
from checkpoints.votes import Vote, approved_by, vote_of


class ReviewStatus(StrEnum):
    """How far a review is."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class ReviewKind(StrEnum):
    """What a review is for: to let a deed go, or to look at one that went through broken glass."""

    GATE = "gate"
    AFTERWARDS = "afterwards"


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """A request to decide one action.

    Attributes:
        action: the canonical action, resolved; what will run.
        digest: SHA-256 of `action`, what a vote binds itself to.
        shown: what a reviewer is shown beside it: verdict, facts, evidence, recommendation, undo, the hash.
        ladder: rungs `{role, people, stage, asked, above, why}`, all of which must approve: `role` may do it
            now, `asked` is whom the rules asked, `above` who may do it in their place after that.
        roles: the roles of the rungs that are open now.
        rule: the rule that asks for it.
        against: what an approval goes against; it must then be an override.
        version: counts up with every change of the row.
        due_seconds: how long a rung has, in working time if `due_working`.
        claimed_by: who works on it until `claimed_until`; nobody else decides it meanwhile.
        paused_at: since when it waits for information, which `asked_by` asked for, until `info_until`.
        wake_at: when time next does something to it.
        hold_seconds: how long after the last signature the decision can be taken back: `held_until`.
    """

    id: str
    case_id: str
    kind: ReviewKind = ReviewKind.GATE
    workflow: str
    interrupt_id: str
    tool: str
    rule: str | None
    title: str
    action: dict[str, Any]
    digest: str
    shown: dict[str, Any]
    ladder: list[dict[str, Any]]
    roles: list[str]
    risk: str
    reversible: bool
    against: str | None
    amount_minor: int | None
    currency: str | None
    status: ReviewStatus
    version: int = 1
    opened_at: datetime
    due_at: datetime
    due_seconds: int
    due_working: bool
    remind_at: datetime | None
    expires_at: datetime | None
    decided_at: datetime | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    assigned_by: str | None = None
    paused_at: datetime | None = None
    asked_by: str | None = None
    info_until: datetime | None = None
    hold_seconds: int = 0
    held_until: datetime | None = None

    def claimer(self, at: datetime) -> str | None:
        """Who has it in hand at this time."""
        return self.claimed_by if self.claimed_until is not None and self.claimed_until > at else None

    @property
    def due(self) -> timedelta:
        """How long a rung has."""
        return timedelta(seconds=self.due_seconds)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the tool would be called with."""
        arguments: dict[str, Any] = self.action["arguments"]
        return arguments

    @property
    def proposer(self) -> str | None:
        """Whose proposal it is."""
        return self.action.get("proposer")

    @property
    def rules(self) -> str | None:
        """The digest of the rule table that asks for it."""
        return (self.action.get("rules") or {}).get("digest")

    @property
    def signed_by(self) -> list[str] | None:
        """Whose signatures a look afterwards looks back on."""
        return self.shown.get("signed_by") if self.kind is ReviewKind.AFTERWARDS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """How a review stands, as the gate and the gateway read it: what was shown, its digest, who voted.

    An approval that is held until a time counts from then on, and can be taken back before.
    """

    status: ReviewStatus
    action: dict[str, Any]
    digest: str
    shown: dict[str, Any]
    ladder: list[dict[str, Any]]
    votes: tuple[Vote, ...]
    held_until: datetime | None = None


_COLUMNS = [schema.reviews.c[name] for name in Review.__dataclass_fields__]


async def get_review(tx: Transaction, review_id: str, *, lock: bool = False) -> Review:
    """The review with this id, locked until the transaction ends if asked; raises ReviewNotFound."""
    query = select(*_COLUMNS).where(schema.reviews.c.id == review_id)
    row = (await tx.sql.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise ReviewNotFound(f"there is no review {review_id}")
    return review_of(row)


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
    return Page.of([review_of(row) for row in rows], limit, lambda review: (review.opened_at, review.id))


async def open_gates(tx: Transaction, case_id: str) -> list[list[str]]:
    """For each review that still holds up a deed of a case, the oldest first, the roles that it asks now."""
    c = schema.reviews.c
    query = select(c.roles).where(
        c.case_id == case_id, c.status == ReviewStatus.OPEN, c.kind == ReviewKind.GATE
    )
    return [row.roles for row in (await tx.sql.execute(query.order_by(c.opened_at, c.id))).all()]


async def add_review(tx: Transaction, review: Review) -> None:
    """Store a review that no graph asked for."""
    values = {name: getattr(review, name) for name in Review.__dataclass_fields__}
    await tx.sql.execute(insert(schema.reviews).values(values))


async def change_review(tx: Transaction, review_id: str, **values: Any) -> None:
    """Change an open review that is locked."""
    c = schema.reviews.c
    query = update(schema.reviews).where(c.id == review_id)
    await tx.sql.execute(query.values(**values, version=c.version + 1))


async def decide_review(tx: Transaction, review_id: str, status: ReviewStatus, at: datetime) -> bool:
    """Close an open review; returns False if it was not open any more."""
    c = schema.reviews.c
    query = update(schema.reviews).where(c.id == review_id, c.status == ReviewStatus.OPEN)
    closed = query.values(status=status, decided_at=at, paused_at=None, version=c.version + 1)
    return (await tx.sql.execute(closed.returning(c.id))).first() is not None


async def reopen_review(tx: Transaction, review_id: str, **values: Any) -> None:
    """Open a locked review again, as if its last decision had not been."""
    again = {"status": ReviewStatus.OPEN, "decided_at": None, "held_until": None}
    await change_review(tx, review_id, **again | values)


async def next_due(tx: Transaction, at: datetime, but: Collection[str] = ()) -> Review | None:
    """A review to which time has something to do, locked; one that another worker holds is passed over."""
    c = schema.reviews.c
    query = select(*_COLUMNS).where(c.wake_at <= at, c.id.not_in(but)).order_by(c.wake_at, c.id).limit(1)
    row = (await tx.sql.execute(query.with_for_update(skip_locked=True))).first()
    return None if row is None else review_of(row)


_LINEAGE = """
SELECT (SELECT drafted_by FROM rule_tables WHERE digest = %(rules)s) AS author,
       ARRAY(SELECT DISTINCT eyes FROM votes v JOIN reviews r ON r.id = v.review_id, unnest(v.humans) AS eyes
             WHERE r.case_id = %(case)s AND v.kind = 'edit'
             UNION SELECT drafted_eyes FROM rule_tables WHERE digest = %(rules)s) AS eyes
"""
_TURNED_DOWN = """
SELECT id FROM reviews
WHERE case_id = %s AND tool = %s AND kind = 'gate' AND status IN ('rejected', 'expired') LIMIT 1
"""
_STANDING = """
SELECT r.status, r.action, r.digest AS signed, r.shown, r.ladder, r.held_until, v.*, w.at AS withdrawn_at
FROM reviews r LEFT JOIN votes v ON v.review_id = r.id LEFT JOIN withdrawals w ON w.vote_id = v.id
WHERE r.id = %s ORDER BY v.voted_at, v.id
"""


@dataclass(frozen=True, slots=True)
class SessionReviews:
    """Reviews as a gate reads them: on the segment's own session."""

    session: Session

    async def decision(self, review_id: str) -> Decision | None:
        """How a review stands, open or decided; None if there is none."""
        async with self.session.asking() as cursor:
            await cursor.execute(_STANDING, (review_id,))
            rows = await cursor.fetchall()
        if not rows:
            return None
        votes = tuple(
            vote_of({name: row[name] for name in Vote.__dataclass_fields__}) for row in rows if row["id"]
        )
        review = rows[0]
        return Decision(
            status=ReviewStatus(review["status"]),
            action=review["action"],
            digest=review["signed"],
            shown=review["shown"],
            ladder=review["ladder"],
            votes=votes,
            held_until=review["held_until"],
        )

    async def approved_by(
        self, human: str, *, tool: str, since: datetime, but: str = ""
    ) -> list[tuple[int, str]]:
        """The amounts that these eyes have signed for a tool since then, one review aside."""
        async with self.session.turn:
            return await approved_by(self.session.connection, human, tool=tool, since=since, but=but)

    async def turned_down(self, case_id: str, tool: str) -> bool:
        """Whether people have rejected, or let expire, anything with this tool in this case."""
        return await self._row(_TURNED_DOWN, case_id, tool) is not None

    async def delegation(self, delegation_id: str) -> Delegation | None:
        """The delegation with this id."""
        row = await self._row("SELECT * FROM delegations WHERE id = %s", delegation_id)
        return None if row is None else Delegation(**row)

    async def lineage(self, case_id: str, rules: str) -> tuple[str | None, list[str]]:
        """Who drafted the rule table with this digest, and whose eyes did or edited an action of the case."""
        values = {"rules": rules, "case": case_id}
        async with self.session.asking() as cursor:
            row = await (await cursor.execute(_LINEAGE, values)).fetchone()
        assert row is not None, "a row without a table always comes"
        return row["author"], row["eyes"]

    async def _row(self, query: LiteralString, *values: str) -> DictRow | None:
        async with self.session.asking() as cursor:
            return await (await cursor.execute(query, values)).fetchone()


def review_of(row: Row[Any]) -> Review:
    """A review from its row."""
    values = {name: getattr(row, name) for name in Review.__dataclass_fields__}
    return Review(**values | {"status": ReviewStatus(values["status"]), "kind": ReviewKind(values["kind"])})
