"""Decisions: a vote, checked and written once, with the grant it gives and the wake-up of its graph."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import tell
from checkpoints.canonical import digest
from checkpoints.database import Transaction
from checkpoints.errors import AlreadyVoted
from checkpoints.grants import Grant, add_grant
from checkpoints.reviews import Review, ReviewKind, ReviewStatus, add_review, get_review
from checkpoints.votes import APPROVING, DECIDING, Vote, VoteKind, add_vote, votes_on
from graphs.closing import (
    NotEligible,
    ReviewClaimed,
    ReviewParked,
    close,
    holds_until,
    leave_to_others,
    review_event,
    sealed_words,
    unfit,
)
from graphs.electorate import Electorate, amount_of
from graphs.wiring import Parts
from nodes.eligibility import open_rungs
from nodes.permissions import Eligibility, Kind, Principal, Verb

AFTERWARDS_DUE = timedelta(days=3)
"""How long people have to look at what went through broken glass; it never goes away by itself."""


class OverrideReason(StrEnum):
    """Why somebody approves against the recommendation or the policy."""

    GOODWILL = "goodwill"
    POLICY_EXCEPTION = "policy_exception"
    AGENT_MISTAKEN = "agent_mistaken"
    DATA_OUTDATED = "data_outdated"
    LEGAL_DEMAND = "legal_demand"
    EMERGENCY = "emergency"


class OverrideRequired(Exception):
    """To approve this goes against what was recommended: it takes an override, with a reason code."""


class NothingToOverride(Exception):
    """Nothing speaks against this action: approve it."""


class NotInBulk(Exception):
    """This action is too grave, or too different, to be decided together with others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ballot:
    """What somebody wants to vote: the kind, the digest they saw, and why.

    Attributes:
        bulk: it is one of many that are decided with one click.
    """

    kind: VoteKind
    digest: str
    comment: str | None = None
    reason_code: str | None = None
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Decisions:
    """Takes votes in."""

    parts: Parts

    async def vote(self, review_id: str, ballot: Ballot, principal: Principal) -> Review:
        """Cast a vote that decides; returns the review as it then stands.

        Votes on one review are taken one at a time; exactly one decision stands.

        Raises:
            ReviewNotFound, ReviewAlreadyDecided, AlreadyVoted, StaleDigest, NotEligible, ReviewExpired,
            ReviewClaimed, ReviewParked, OverrideRequired, NothingToOverride, NotInBulk.
        """
        assert ballot.kind in DECIDING
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            await self._alone_on_the_sums_of(tx, principal)
            standing = await self._standing(tx, review, ballot, principal)
            if isinstance(standing, Eligibility):
                await self._cast(tx, review, ballot, principal, standing)
                return await get_review(tx, review_id)
            why = {"why": type(standing).__name__, "message": str(standing), "vote_kind": ballot.kind}
            await tell(tx, review_event(self.parts, review, "vote.denied", principal.actor, **why))
        raise standing

    async def eligibility(self, tx: Transaction, review: Review, principal: Principal) -> Eligibility:
        """Whether the principal may decide, by the same code for the list and for the vote."""
        return await Electorate(self.parts).eligibility(tx, review, principal)

    async def _alone_on_the_sums_of(self, tx: Transaction, principal: Principal) -> None:
        """One vote at a time on the voter's sum and each lender's: two cannot both be the last of a day."""
        for eyes in await Electorate(self.parts).whose_sums(tx, principal):
            await tx.alone(f"signs for: {eyes}")

    async def _standing(
        self, tx: Transaction, review: Review, ballot: Ballot, principal: Principal
    ) -> Eligibility | Exception:
        """By which right the vote is cast, or why it is not."""
        refusal = await unfit(tx, self.parts, review, principal, ballot.digest)
        if ballot.kind is VoteKind.BREAK_GLASS and isinstance(refusal, ReviewClaimed | ReviewParked):
            refusal = None  # an emergency waits for nobody
        if refusal is not None:
            return refusal
        if any(v.person == principal.actor and v.kind in DECIDING for v in await votes_on(tx, review.id)):
            return AlreadyVoted()
        if (refusal := _misfit(review, ballot)) is not None:
            return refusal
        found = await self.eligibility(tx, review, principal)
        if ballot.kind is VoteKind.BREAK_GLASS:
            found = await self._glass(tx, review, principal, found)
        return found if found.allowed else NotEligible(found.why)

    async def _glass(
        self, tx: Transaction, review: Review, principal: Principal, own: Eligibility
    ) -> Eligibility:
        """Whether somebody may sign alone, for all rungs, in an emergency."""
        refused = Eligibility(allowed=False, role=None, why="no role of yours breaks the glass")
        if principal.kind is not Kind.PERSON or review.kind is not ReviewKind.GATE:
            return refused
        if own.involved:
            return own
        electorate, held = Electorate(self.parts), sorted(principal.roles)
        spent = await electorate.spent(tx, principal, review.tool)
        permissions = electorate.permissions(review)
        permit = permissions.decide(held, Verb.BREAK_GLASS, review.tool, amount_of(review), spent)
        if permit.role is None:
            return replace(refused, why=permit.why, considered=permit.considered)
        return Eligibility(
            allowed=True,
            role=permit.role,
            why=permit.why,
            considered=permit.considered,
            humans=(principal.eyes,),
        )

    async def _cast(
        self, tx: Transaction, review: Review, ballot: Ballot, principal: Principal, by: Eligibility
    ) -> None:
        comment = await sealed_words(tx, self.parts, review, ballot.comment) if ballot.comment else None
        vote = Vote(
            id=self.parts.ids(),
            review_id=review.id,
            person=principal.actor,
            humans=list(by.humans),
            on_behalf_of=by.on_behalf_of,
            delegation=by.delegation,
            role=by.role,
            rung=by.rung if ballot.kind in APPROVING else None,
            kind=ballot.kind,
            digest=ballot.digest,
            reason_code=ballot.reason_code,
            comment=comment,
            voted_at=self.parts.clock(),
        )
        await add_vote(tx, vote)
        await tell(tx, review_event(self.parts, review, _told(ballot.kind), principal.actor, **_data(vote)))
        if ballot.kind is VoteKind.REJECT:
            await close(tx, self.parts, review, ReviewStatus.REJECTED, principal.actor)
            return
        votes = await votes_on(tx, review.id)
        if open_rungs(review.ladder, votes):
            await leave_to_others(tx, self.parts, review, votes)
            return
        told = await self._grant(tx, review, votes) if review.kind is ReviewKind.GATE else {}
        await close(tx, self.parts, review, ReviewStatus.APPROVED, principal.actor, **told)
        if ballot.kind is VoteKind.BREAK_GLASS:
            await self._look_afterwards(tx, review, vote)

    async def _grant(self, tx: Transaction, review: Review, votes: list[Vote]) -> dict[str, Any]:
        """Store the grant that these votes give; returns what the record says of it."""
        people = [
            {"person": vote.person, "role": vote.role, "vote": vote.id, "on_behalf_of": vote.on_behalf_of}
            for vote in votes
            if vote.kind in APPROVING
        ]
        now = self.parts.clock()
        assert review.expires_at is not None, "what lets a deed go expires"
        grant = Grant(
            id=str(uuid5(NAMESPACE_OID, f"grant/{review.id}/{review.version}")),
            case_id=review.case_id,
            review_id=review.id,
            proposal_id=review.action["proposal"],
            digest=review.digest,
            action=review.action,
            basis={"people": people},
            issued_at=now,
            expires_at=review.expires_at,
            usable_from=holds_until(review, now),
        )
        await add_grant(tx, grant)
        times = {"issued_at": grant.issued_at.isoformat(), "expires_at": grant.expires_at.isoformat()}
        return {"grant": grant.id, "basis": grant.basis, **times}

    async def _look_afterwards(self, tx: Transaction, review: Review, vote: Vote) -> None:
        """Broken glass: an alert now, and a review of it by those who were not asked."""
        now = self.parts.clock()
        shown = {name: told for name, told in review.shown.items() if name != "digest"}
        shown |= {"broken_glass": _data(vote), "signed_by": [vote.person]}
        later = replace(
            review,
            id=str(uuid5(NAMESPACE_OID, f"afterwards/{review.id}")),
            kind=ReviewKind.AFTERWARDS,
            shown=shown | {"digest": digest(shown)},
            roles=[review.ladder[at]["role"] for at in open_rungs(review.ladder, ())],
            against=None,
            status=ReviewStatus.OPEN,
            version=1,
            opened_at=now,
            due_at=now + AFTERWARDS_DUE,
            due_seconds=int(AFTERWARDS_DUE.total_seconds()),
            due_working=False,
            remind_at=now + AFTERWARDS_DUE / 2,
            expires_at=None,
            claimed_by=None,
            claimed_until=None,
            assigned_by=None,
            hold_seconds=0,
        )
        await add_review(tx, later)
        broken = review_event(
            self.parts, review, "review.broken_glass", vote.person, afterwards=later.id, **_data(vote)
        )
        told = {"digest": later.digest, "shown": later.shown["digest"], "ladder": later.ladder}
        told |= {"proposal": later.action["proposal"], "review_kind": later.kind.value}
        await tell(tx, broken, review_event(self.parts, later, "review.opened", "rule:break_glass", **told))


def _misfit(review: Review, ballot: Ballot) -> Exception | None:
    """Whether this kind of vote fits the review."""
    if ballot.kind is VoteKind.APPROVE and review.against is not None:
        return OverrideRequired(f"to approve goes against the {review.against}: it takes an override")
    if ballot.kind is VoteKind.OVERRIDE and review.against is None:
        return NothingToOverride()
    if ballot.bulk and (review.risk == "high" or not review.reversible or review.against is not None):
        return NotInBulk("high-risk, irreversible and overriding decisions are taken one by one")
    return None


def _told(kind: VoteKind) -> str:
    return "vote.override" if kind is VoteKind.OVERRIDE else "vote.cast"


def _data(vote: Vote) -> dict[str, Any]:
    """What the record says of a vote."""
    names = ("role", "rung", "on_behalf_of", "delegation", "humans", "reason_code", "comment", "digest")
    return {"vote": vote.id, "vote_kind": vote.kind} | {name: getattr(vote, name) for name in names}
