"""The queue as one person sees it: what is theirs to decide is asked of the code that guards the vote."""

from dataclasses import dataclass, replace
from typing import Any

from checkpoints.database import Transaction
from checkpoints.delegations import delegations_to
from checkpoints.pages import Page
from checkpoints.review_queue import Filter, Sort, count_queue, cursor_at, list_queue
from checkpoints.reviews import Review
from graphs.electorate import Electorate
from graphs.wiring import Parts
from nodes.permissions import Principal

MOST_COUNTED = 200
"""Up to how many reviews that somebody may decide are counted one by one."""


@dataclass(frozen=True, slots=True)
class QueueView:
    """Lists and counts reviews for a principal."""

    parts: Parts

    async def page(
        self,
        tx: Transaction,
        wanted: Filter,
        principal: Principal,
        *,
        sort: Sort,
        limit: int,
        after: str | None = None,
        mine: bool = False,
    ) -> Page[Review]:
        """A page of reviews, with `mine` only those the principal may decide now; raises UnknownCursor."""
        if not mine:
            return await list_queue(tx, wanted, sort=sort, limit=limit, after=after)
        wanted = replace(wanted, roles=await self._roles(tx, principal))
        found: list[Review] = []
        while True:
            page = await list_queue(tx, wanted, sort=sort, limit=limit, after=after)
            for review in await self._decidable(tx, page.items, principal):
                if len(found) == limit:
                    return Page(found, cursor_at(found[-1], sort))
                found.append(review)
            if page.next is None:
                return Page(found, None)
            after = page.next

    async def counts(self, tx: Transaction, principal: Principal) -> dict[str, Any]:
        """How much there is to do, for all and for the principal."""
        mine = await self.page(tx, Filter(), principal, sort=Sort.DUE, limit=MOST_COUNTED, mine=True)
        counted = {"mine": len(mine.items), "mine_is_more": mine.next is not None}
        return await count_queue(tx, self.parts.clock()) | counted

    async def _decidable(self, tx: Transaction, reviews: list[Review], principal: Principal) -> list[Review]:
        now = self.parts.clock()
        free = [review for review in reviews if review.claimer(now) in {None, principal.actor}]
        free = [review for review in free if review.paused_at is None]
        if not free:
            return []
        found = await Electorate(self.parts).eligibilities(tx, free, principal)
        return [review for review, one in zip(free, found, strict=True) if one.allowed]

    async def _roles(self, tx: Transaction, principal: Principal) -> list[str]:
        """The principal's roles and those lent to them: only a net to fish with, not a right."""
        roles = set(principal.roles)
        for delegation in await delegations_to(tx, principal.actor, self.parts.clock()):
            lender = self.parts.people.person(delegation.from_person)
            roles |= lender.roles if lender else set()
        return sorted(roles)
