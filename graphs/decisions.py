"""Decisions: a vote, checked and written once, with the grant it gives and the wake-up of its graph."""

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell
from checkpoints.cases import Case, Status, get_case, move_case
from checkpoints.commands import Command, CommandKind
from checkpoints.database import Transaction
from checkpoints.effects import Grant, add_grant
from checkpoints.errors import AlreadyVoted, ReviewAlreadyDecided, StaleDigest
from checkpoints.reviews import (
    Review,
    ReviewStatus,
    Vote,
    VoteKind,
    add_vote,
    decide_review,
    get_review,
    votes_on,
)
from graphs.wiring import Parts
from nodes.permissions import Eligibility, Principal, may_decide
from tools.money import Money


class NotEligible(Exception):
    """This principal may not decide this review; the attempt is on the record."""


class ReviewExpired(Exception):
    """The review has expired; it cannot be decided any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ballot:
    """What somebody wants to vote: the kind, the digest they saw, and a comment."""

    kind: VoteKind
    digest: str
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Decisions:
    """Takes votes in."""

    parts: Parts

    async def vote(self, review_id: str, ballot: Ballot, principal: Principal) -> Review:
        """Cast a vote; returns the review as it then stands.

        Votes on one review are taken one at a time; exactly one decision stands.

        Raises:
            ReviewNotFound, ReviewAlreadyDecided, AlreadyVoted, StaleDigest, NotEligible, ReviewExpired.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            refusal = await self._refusal(tx, review, ballot, principal)
            if refusal is None:
                await self._cast(tx, review, ballot, principal)
                return await get_review(tx, review_id)
            await self._record_denial(tx, review, ballot, principal, refusal)
        raise refusal

    async def eligibility(self, tx: Transaction, review: Review, principal: Principal) -> Eligibility:
        """Whether the principal may decide, by the same code for the list and for the vote."""
        case = await get_case(tx, review.case_id)
        return may_decide(
            principal,
            tool=review.action["tool"],
            ladder=_open_rungs(review, await votes_on(tx, review.id)),
            amount=_amount(review),
            involved=_involved(case, review),
            permissions=self.parts.workflows[review.workflow].permissions,
        )

    async def _refusal(
        self, tx: Transaction, review: Review, ballot: Ballot, principal: Principal
    ) -> Exception | None:
        if review.status is not ReviewStatus.OPEN:
            deciders = ", ".join(vote.person for vote in await votes_on(tx, review.id)) or "the system"
            return ReviewAlreadyDecided(f"already {review.status} by {deciders}")
        if any(vote.person == principal.actor for vote in await votes_on(tx, review.id)):
            return AlreadyVoted()
        eligibility = await self.eligibility(tx, review, principal)
        if not eligibility.allowed:
            return NotEligible(eligibility.why)
        if ballot.digest != review.digest:
            return StaleDigest()
        if review.expires_at <= self.parts.clock():
            return ReviewExpired("the review has expired")
        return None

    async def _cast(self, tx: Transaction, review: Review, ballot: Ballot, principal: Principal) -> None:
        now = self.parts.clock()
        role = (await self.eligibility(tx, review, principal)).role
        assert role is not None
        vote = Vote(
            id=self.parts.ids(),
            review_id=review.id,
            person=principal.actor,
            role=role,
            kind=ballot.kind,
            digest=ballot.digest,
            comment=ballot.comment,
            voted_at=now,
        )
        await add_vote(tx, vote)
        await tell(
            tx,
            self._event(
                review,
                "vote.cast",
                principal,
                vote=vote.id,
                vote_kind=vote.kind,
                role=role,
                comment=vote.comment,
            ),
        )
        if ballot.kind is VoteKind.REJECT:
            await self._decide(tx, review, ReviewStatus.REJECTED, principal)
        elif await self._complete(tx, review):
            await self._grant(tx, review)
            await self._decide(tx, review, ReviewStatus.APPROVED, principal)

    async def _complete(self, tx: Transaction, review: Review) -> bool:
        """Whether every rung has the approvals it asks for."""
        approvals = [vote.role for vote in await votes_on(tx, review.id) if vote.kind is VoteKind.APPROVE]
        return all(approvals.count(rung["role"]) >= rung["people"] for rung in review.ladder)

    async def _grant(self, tx: Transaction, review: Review) -> None:
        people = [
            {"person": vote.person, "role": vote.role, "vote": vote.id}
            for vote in await votes_on(tx, review.id)
        ]
        grant = Grant(
            id=str(uuid5(NAMESPACE_OID, f"grant/{review.id}")),
            case_id=review.case_id,
            review_id=review.id,
            proposal_id=review.action["proposal"],
            digest=review.digest,
            action=review.action,
            basis={"people": people},
            issued_at=self.parts.clock(),
            expires_at=review.expires_at,
        )
        await add_grant(tx, grant)

    async def _decide(
        self, tx: Transaction, review: Review, status: ReviewStatus, principal: Principal
    ) -> None:
        now = self.parts.clock()
        if not await decide_review(tx, review.id, status, now):
            raise ReviewAlreadyDecided
        standing = Status.APPROVED if status is ReviewStatus.APPROVED else Status.RUNNING
        await move_case(tx, review.case_id, standing, now)
        await tell(tx, self._event(review, f"review.{status}", principal, digest=review.digest))
        command = Command(
            id=self.parts.ids(),
            case_id=review.case_id,
            kind=CommandKind.RESUME,
            dedupe_key=f"review:{review.id}",
            payload={"interrupt": review.interrupt_id},
            created_at=now,
        )
        await self.parts.queue.enqueue(tx, command)

    async def _record_denial(
        self, tx: Transaction, review: Review, ballot: Ballot, principal: Principal, refusal: Exception
    ) -> None:
        why = {"why": type(refusal).__name__, "message": str(refusal), "vote_kind": ballot.kind}
        await tell(tx, self._event(review, "vote.denied", principal, **why))

    def _event(self, review: Review, kind: str, principal: Principal, **data: object) -> Event:
        return Event(
            id=self.parts.ids(),
            case_id=review.case_id,
            kind=kind,
            actor=principal.actor,
            at=self.parts.clock(),
            data={"review": review.id, **data},
        )


def _amount(review: Review) -> Money | None:
    if review.amount_minor is None or review.currency is None:
        return None
    return Money(amount_minor=review.amount_minor, currency=review.currency)


def _open_rungs(review: Review, votes: list[Vote]) -> list[dict[str, Any]]:
    """The rungs that still lack approvals; all of them once none does."""
    approvals = [vote.role for vote in votes if vote.kind is VoteKind.APPROVE]
    lacking = [rung for rung in review.ladder if approvals.count(rung["role"]) < rung["people"]]
    return lacking or review.ladder


def _involved(case: Case, review: Review) -> frozenset[str]:
    """Whoever asked or proposed: separation of duties over the lineage."""
    return frozenset({case.opened_by, review.action["proposer"]})
