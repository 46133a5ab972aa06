"""Withdrawals: a decision is taken back while it is held, before anything was done on it."""

from dataclasses import dataclass

from checkpoints.audit import tell
from checkpoints.commands import finish_cause
from checkpoints.database import Transaction
from checkpoints.grants import revoke_grant
from checkpoints.reviews import Review, ReviewKind, ReviewStatus, get_review, reopen_review
from checkpoints.votes import APPROVING, Vote, votes_on, withdraw_vote
from graphs.closing import NotEligible, cause_of, due_from_now, review_event, wait_for_people
from graphs.electorate import Electorate
from graphs.wiring import Parts
from nodes.eligibility import open_rungs
from nodes.permissions import Kind, Principal, Verb


class NothingToWithdraw(Exception):
    """This decision cannot be taken back: it is not held, or not any more."""


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """Takes decisions back."""

    parts: Parts

    async def withdraw(self, review_id: str, principal: Principal) -> Review:
        """Take back one's signature, or as a lead the last one; the review is open again.

        Either this or the deed comes first, never both: they meet at the row of the grant.

        Raises:
            ReviewNotFound.
            NotEligible: they did not sign it and lead nobody; the attempt is on the record.
            NothingToWithdraw: it is not held, or not any more; the attempt is on the record.
        """
        async with self.parts.database.transaction() as tx:
            review = await get_review(tx, review_id, lock=True)
            found = await self._signature(tx, review, principal)
            if isinstance(found, Vote) and await revoke_grant(tx, review.id, self.parts.clock()):
                await self._reopen(tx, review, found, principal)
                return await get_review(tx, review_id)
            refusal = NothingToWithdraw() if isinstance(found, Vote) else found
            why = {"why": type(refusal).__name__, "message": str(refusal), "act": "withdraw"}
            await tell(tx, review_event(self.parts, review, "vote.denied", principal.actor, **why))
        raise refusal

    async def _signature(self, tx: Transaction, review: Review, principal: Principal) -> Vote | Exception:
        """The signature that would be taken back, or why there is none."""
        signatures = [vote for vote in await votes_on(tx, review.id) if vote.kind in APPROVING]
        own = [vote for vote in signatures if vote.person == principal.actor]
        if principal.kind is not Kind.PERSON or not (own or self._leads(review, principal)):
            return NotEligible("only whoever signed it, or leads them, takes a decision back")
        held = review.held_until is not None and self.parts.clock() < review.held_until
        if review.kind is not ReviewKind.GATE or review.status is not ReviewStatus.APPROVED or not held:
            return NothingToWithdraw()
        return (own or signatures)[-1]

    def _leads(self, review: Review, principal: Principal) -> bool:
        permissions = Electorate(self.parts).permissions(review)
        return permissions.decide(sorted(principal.roles), Verb.MANAGE, review.tool).allowed

    async def _reopen(self, tx: Transaction, review: Review, vote: Vote, principal: Principal) -> None:
        now = self.parts.clock()
        await finish_cause(tx, await cause_of(tx, review), "withdrawn", now)
        await withdraw_vote(tx, vote.id, principal.actor, now)
        votes = await votes_on(tx, review.id)
        roles = [review.ladder[at]["role"] for at in open_rungs(review.ladder, votes)]
        await reopen_review(tx, review.id, roles=roles, **due_from_now(self.parts, review))
        told = {"vote": vote.id, "voted_by": vote.person, "digest": review.digest}
        await tell(tx, review_event(self.parts, review, "vote.withdrawn", principal.actor, **told))
        await wait_for_people(tx, review.case_id, now)
