"""Acts on a review that decide nothing: taking it in hand, handing it up, asking back, a word about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.cases import INFO_REQUESTED, Status, get_case, move_case
from checkpoints.database import Transaction
from checkpoints.errors import ReviewAlreadyDecided
from checkpoints.reviews import Review, ReviewKind, ReviewStatus, change_review, get_review
from checkpoints.votes import APPROVING, Vote, VoteKind, add_vote, votes_on
from graphs.closing import (
    NotEligible,
    ReviewClaimed,
    due_from_now,
    hours_of,
    review_event,
    sealed_words,
    unfit,
    wait_for_people,
)
from graphs.electorate import Electorate
from graphs.wiring import Parts
from nodes.eligibility import open_rungs
from nodes.hours import after, between
from nodes.permissions import Kind, Principal, Verb
from nodes.shapes import Json

CLAIM_LIFE = timedelta(minutes=30)
"""How long somebody keeps what they took in hand without doing anything."""
ASSIGNED_LIFE = timedelta(hours=8)
"""How long somebody keeps what was given to them."""
INFO_LIFE = timedelta(days=3)
"""How long a review waits for information before it goes back to whoever asked."""


MOST_SAID = 200
"""Votes, questions, answers and remarks on one review: what somebody who comes to it later can still read."""


class TooMuchSaid(Exception):
    """So much was said to this review already: decide it, or hand it up."""


class NothingAbove(Exception):
    """There is nobody above the roles that are asked: decide it, or reject it."""


class NotWaitingForInfo(Exception):
    """Nobody has asked for information here."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What people do with a review short of deciding it; each act is on the record, the refused ones too."""

    parts: Parts

    async def comment(self, review_id: str, text: str, principal: Principal) -> Review:
        """Say something about a review; raises ReviewNotFound, TooMuchSaid, NotEligible."""
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            people = principal.kind is Kind.PERSON
            refusal = await _full(tx, review) if people else NotEligible("only people comment")
            if refusal is None:
                await self._say(tx, review, VoteKind.COMMENT, text, principal)
                await change_review(tx, review.id)
        return await self._end(review_id, refusal, principal, VoteKind.COMMENT)

    async def escalate(self, review_id: str, digest: str, why: str, principal: Principal) -> Review:
        """Hand a review to those above the roles that are asked now, with a new due time.

        Raises:
            ReviewNotFound, NothingAbove, NotEligible, and whatever keeps anybody from acting on it.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            refusal = await self._refusal(tx, review, digest, principal)
            ladder = handed_up(review.ladder, await votes_on(tx, review.id))
            if refusal is None and ladder is None:
                refusal = NothingAbove()
            if refusal is None and ladder is not None:
                await self._say(tx, review, VoteKind.ESCALATE, why, principal)
                await hand_up(tx, self.parts, review, ladder, principal.actor)
        return await self._end(review_id, refusal, principal, VoteKind.ESCALATE)

    async def ask_back(self, review_id: str, digest: str, question: str, principal: Principal) -> Review:
        """Ask for information: the review and its clock stand still, and it comes back to whoever asked.

        Raises:
            ReviewNotFound, TooMuchSaid, NotEligible, and whatever keeps anybody from acting on it.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            refusal = await self._refusal(tx, review, digest, principal) or await _full(tx, review)
            if refusal is None:
                now = self.parts.clock()
                asked_for = await self._say(tx, review, VoteKind.REQUEST_INFO, question, principal)
                parked = {"paused_at": now, "asked_by": principal.actor, "info_until": now + INFO_LIFE}
                await change_review(tx, review.id, **parked)
                if review.kind is ReviewKind.GATE:
                    asked = (await get_case(tx, review.case_id)).opened_by
                    status = Status.WAITING_INFO
                    await move_case(tx, review.case_id, status, now, reason=INFO_REQUESTED, owner=asked)
                await tell(tx, self._event(review, "review.info_requested", principal, question=asked_for))
        return await self._end(review_id, refusal, principal, VoteKind.REQUEST_INFO)

    async def answer(self, review_id: str, text: str, principal: Principal) -> Review:
        """Give the information that was asked for; raises ReviewNotFound, NotWaitingForInfo, NotEligible."""
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            if review.paused_at is None:
                raise NotWaitingForInfo
            opener = (await get_case(tx, review.case_id)).opened_by
            mine = principal.kind is Kind.PERSON or principal.actor == opener
            refusal = None if mine else NotEligible("a service answers for the cases that it opened")
            if refusal is None:
                said = await self._say(tx, review, VoteKind.INFO, text, principal)
                await unpark(tx, self.parts, review)
                given = self._event(review, "review.info_given", principal, to=review.asked_by, text=said)
                await tell(tx, given)
        return await self._end(review_id, refusal, principal, VoteKind.INFO)

    async def claim(self, review_id: str, principal: Principal, *, take_over: bool = False) -> Review:
        """Take a review in hand for a while; a lead may take it out of somebody else's.

        Raises:
            ReviewNotFound, ReviewAlreadyDecided, ReviewClaimed, ReviewParked, NotEligible.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            claimer = review.claimer(self.parts.clock())
            leads = take_over and self._manages(review, principal)
            refusal = await self._refusal(tx, review, review.digest, principal, leads=leads)
            if refusal is None and await self._has_signed(tx, review, principal):
                refusal = NotEligible("these eyes have signed already: it waits for others")
            if refusal is None:
                others = claimer if claimer != principal.actor else None
                kind = "review.taken_over" if others else "review.claimed"
                told = self._event(review, kind, principal, **{"from": others} if others else {})
                await self._give(tx, principal.actor, CLAIM_LIFE, None, told)
        return await self._end(review_id, refusal, principal, "claim")

    async def release(self, review_id: str, principal: Principal) -> Review:
        """Let go of a review that one has in hand; a lead may let go of anybody's.

        Raises:
            ReviewNotFound, ReviewAlreadyDecided, NotEligible.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            refusal = self._cannot_release(review, principal)
            if refusal is None:
                await change_review(tx, review.id, claimed_by=None, claimed_until=None, assigned_by=None)
                await tell(tx, self._event(review, "review.released", principal))
        return await self._end(review_id, refusal, principal, "release")

    async def assign(self, review_id: str, to: str, principal: Principal) -> Review:
        """Give a review to somebody who may decide it; for leads.

        Raises:
            ReviewNotFound, ReviewAlreadyDecided, NotEligible: the one who gives it is no lead, or the one who
                gets it may not decide it.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            refusal = await self._cannot_assign(tx, review, to, principal)
            if refusal is None:
                told = self._event(review, "review.assigned", principal, to=to)
                await self._give(tx, to, ASSIGNED_LIFE, principal.actor, told)
        return await self._end(review_id, refusal, principal, "assign")

    def _cannot_release(self, review: Review, principal: Principal) -> Exception | None:
        if review.status is not ReviewStatus.OPEN:
            return ReviewAlreadyDecided(f"already {review.status}")
        if review.claimed_by == principal.actor or self._manages(review, principal):
            return None
        return NotEligible("somebody else has it in hand, or nobody")

    async def _cannot_assign(
        self, tx: Transaction, review: Review, to: str, principal: Principal
    ) -> Exception | None:
        if review.status is not ReviewStatus.OPEN:
            return ReviewAlreadyDecided(f"already {review.status}")
        if not self._manages(review, principal):
            return NotEligible("only a lead of this work gives it to somebody")
        person = self.parts.people.person(to)
        if person is None:
            return NotEligible(f"there is no {to}")
        found = await Electorate(self.parts).eligibility(tx, review, person)
        return None if found.allowed else NotEligible(f"{to} may not decide it: {found.why}")

    async def _give(self, tx: Transaction, to: str, life: timedelta, by: str | None, told: Event) -> None:
        """Put a review in somebody's hands; the event says which."""
        until = self.parts.clock() + life
        await change_review(tx, told.data["review"], claimed_by=to, claimed_until=until, assigned_by=by)
        await tell(tx, told)

    async def _refusal(
        self, tx: Transaction, review: Review, digest: str, principal: Principal, *, leads: bool = False
    ) -> Exception | None:
        """Why somebody cannot act on this review: nothing to act on, in other hands, or not their work."""
        refusal = await unfit(tx, self.parts, review, principal, digest)
        if refusal is not None and not (leads and isinstance(refusal, ReviewClaimed)):
            return refusal
        if principal.kind is not Kind.PERSON:
            return NotEligible("only people work on reviews")
        if leads or principal.roles & set(review.roles):
            return None
        found = await Electorate(self.parts).eligibility(tx, review, principal)
        return None if found.allowed else NotEligible(found.why)

    async def _has_signed(self, tx: Transaction, review: Review, principal: Principal) -> bool:
        """Whether what is left of a review is for others: holding it would only keep them from it."""
        votes = await votes_on(tx, review.id)
        return any(principal.eyes in one.humans for one in votes if one.kind in APPROVING)

    def _manages(self, review: Review, principal: Principal) -> bool:
        permissions = Electorate(self.parts).permissions(review)
        person = principal.kind is Kind.PERSON
        return person and permissions.decide(sorted(principal.roles), Verb.MANAGE, review.tool).allowed

    async def _say(
        self, tx: Transaction, review: Review, kind: VoteKind, text: str, principal: Principal
    ) -> str:
        """Put words on a review; returns the token that stands for them."""
        words = await sealed_words(tx, self.parts, review, text)
        vote = Vote(
            id=self.parts.ids(),
            review_id=review.id,
            person=principal.actor,
            humans=[principal.eyes],
            role=None,
            kind=kind,
            digest=review.digest,
            comment=words,
            voted_at=self.parts.clock(),
        )
        await add_vote(tx, vote)
        told = {"vote": vote.id, "vote_kind": kind, "comment": words, "digest": vote.digest}
        await tell(tx, self._event(review, "vote.cast", principal, humans=vote.humans, **told))
        return words

    async def _end(self, review_id: str, refusal: Exception | None, principal: Principal, act: str) -> Review:
        """The review as it stands now; a refusal goes on the record before it is raised."""
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id)
            if refusal is None:
                return review
            why = {"why": type(refusal).__name__, "message": str(refusal), "act": act}
            await tell(tx, self._event(review, "vote.denied", principal, **why))
        raise refusal

    def _event(self, review: Review, kind: str, principal: Principal, **data: Any) -> Event:
        return review_event(self.parts, review, kind, principal.actor, **data)


async def _full(tx: Transaction, review: Review) -> TooMuchSaid | None:
    return TooMuchSaid() if len(await votes_on(tx, review.id)) >= MOST_SAID else None


def handed_up(ladder: Sequence[Json], votes: Sequence[Vote]) -> list[Json] | None:
    """The ladder with each open rung that has somebody above it in their hands; None if none has."""
    rungs = [dict(rung) for rung in ladder]
    moved = [at for at in open_rungs(ladder, votes) if rungs[at].get("above")]
    for at in moved:
        above = rungs[at]["above"]
        rungs[at] |= {
            "role": above[0],
            "above": above[1:],
            "asked": rungs[at].get("asked", rungs[at]["role"]),
        }
    return rungs if moved else None


async def hand_up(tx: Transaction, parts: Parts, review: Review, ladder: list[Json], by: str) -> None:
    """Put a review into the hands above, with a new due time, and say so."""
    votes = await votes_on(tx, review.id)
    roles = [ladder[at]["role"] for at in open_rungs(ladder, votes)]
    await change_review(
        tx,
        review.id,
        ladder=ladder,
        roles=roles,
        claimed_by=None,
        claimed_until=None,
        assigned_by=None,
        **due_from_now(parts, review),
    )
    if review.kind is ReviewKind.GATE:
        await wait_for_people(tx, review.case_id, parts.clock())
    await tell(tx, review_event(parts, review, "review.escalated", by, to_role=roles[0], roles=roles))


async def unpark(tx: Transaction, parts: Parts, review: Review) -> None:
    """Let a review's clock go on where it stood still, in the hands of whoever had asked."""
    now, paused_at, hours = parts.clock(), review.paused_at, hours_of(parts, review)
    assert paused_at is not None

    def as_before(at: datetime) -> datetime:
        """As far ahead of now as it was when the clock stopped, in the hours in which it is counted."""
        return after(now, between(paused_at, at, hours), hours)

    await change_review(
        tx,
        review.id,
        paused_at=None,
        info_until=None,
        due_at=as_before(review.due_at),
        remind_at=None if review.remind_at is None else as_before(review.remind_at),
        claimed_by=review.asked_by,
        claimed_until=now + CLAIM_LIFE,
    )
    if review.kind is ReviewKind.GATE:
        await wait_for_people(tx, review.case_id, now)
